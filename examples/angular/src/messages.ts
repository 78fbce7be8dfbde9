import { Command, Query } from "cqrx";

export interface Book {
  readonly id: string;
  readonly title: string;
  readonly author: string;
}

/** A book on the list; `saving` until the server has it. */
export interface ShelfBook extends Book {
  readonly saving: boolean;
}

export class SearchBooks extends Query<readonly Book[]> {
  constructor(readonly text: string) {
    super();
  }
}

export class GetShelf extends Query<readonly ShelfBook[]> {}

export class AddBook extends Command {
  constructor(readonly book: Book) {
    super();
  }
}

export class RemoveBook extends Command {
  constructor(readonly id: string) {
    super();
  }
}
