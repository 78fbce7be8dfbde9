import { Command, DomainEvent, Query } from "cqrx";
import { z } from "zod";
import type { Book } from "./books.store.js";

const text = (name: string) =>
  z.string().trim().min(1, `${name} is missing.`).max(200, `${name} is too long.`);

export class AddBook extends Command {
  static readonly schema = z.object({ title: text("The title"), author: text("The author") });

  constructor(
    readonly title: string,
    readonly author: string,
  ) {
    super();
  }
}

export class RemoveBook extends Command {
  constructor(readonly id: string) {
    super();
  }
}

export class ListBooks extends Query<readonly Book[]> {}

export class BookAdded extends DomainEvent {
  constructor(readonly book: Book) {
    super();
  }
}
