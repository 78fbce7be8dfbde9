import { Injectable } from "@nestjs/common";
import { CommandBus, EventBus, type HandlerContext } from "cqrx";
import { BookExistsError } from "../books.errors.js";
import { AddBook, BookAdded } from "../books.messages.js";
import { BooksStore } from "../books.store.js";

/** A handler object: `register` takes any object with `handle`. Its dependencies are injected like those of any provider. */
@Injectable()
export class AddBookHandler {
  constructor(
    commandBus: CommandBus,
    private readonly eventBus: EventBus,
    private readonly books: BooksStore,
  ) {
    commandBus.register(AddBook, this);
  }

  handle({ title, author }: AddBook, context: HandlerContext): void {
    if (this.books.find(title) !== undefined) throw new BookExistsError(title);
    const book = this.books.add(title, author);
    // Published when this command has succeeded, and dropped if it fails.
    this.eventBus.enqueue(new BookAdded(book), { causedBy: context });
  }
}
