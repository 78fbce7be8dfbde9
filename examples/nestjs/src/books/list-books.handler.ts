import { Injectable } from "@nestjs/common";
import { CommandBus, fulfilled, ofType, QueryBus } from "cqrx";
import { AddBook, ListBooks, RemoveBook } from "./books.messages.js";
import { BooksStore, type Book } from "./books.store.js";

/** The read side, as a handler object: `register` takes each object that has `handle`, and options beside it. */
@Injectable()
export class ListBooksHandler {
  constructor(
    queryBus: QueryBus,
    commandBus: CommandBus,
    private readonly books: BooksStore,
  ) {
    // Emits when the answer may be another; every watch() of the query follows.
    const refreshOn = commandBus.outcomes$.pipe(ofType(AddBook, RemoveBook), fulfilled());
    queryBus.register(ListBooks, this, { refreshOn });
  }

  handle(): readonly Book[] {
    return this.books.list();
  }
}
