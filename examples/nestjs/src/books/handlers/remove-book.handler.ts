import { Injectable } from "@nestjs/common";
import { CommandBus } from "cqrx";
import { BookNotFoundError } from "../books.errors.js";
import { RemoveBook } from "../books.messages.js";
import { BooksStore } from "../books.store.js";

@Injectable()
export class RemoveBookHandler {
  constructor(
    commandBus: CommandBus,
    private readonly books: BooksStore,
  ) {
    commandBus.register(RemoveBook, this);
  }

  handle({ id }: RemoveBook): void {
    if (!this.books.remove(id)) throw new BookNotFoundError();
  }
}
