import { defineCommand, DomainEvent, Query } from "cqrx";
import { z } from "zod";
import type { Book } from "./books.store.js";

const text = (name: string) =>
  z.string(`${name} is missing.`).trim().min(1, `${name} is missing.`).max(200, `${name} is too long.`);

/** Messages from outside are made of schemas: every instance is valid, whichever way it came in. */
export class AddBook extends defineCommand(
  "books.add",
  z.object({ title: text("The title"), author: text("The author") }),
) {}

export class RemoveBook extends defineCommand("books.remove", z.object({ id: z.string() })) {}

export class ListBooks extends Query<readonly Book[]> {}

export class BookAdded extends DomainEvent {
  constructor(readonly book: Book) {
    super();
  }
}
