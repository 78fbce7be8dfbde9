import { Injectable, type OnModuleInit } from "@nestjs/common";
import { command, CommandBus, event, EventBus, registerHandlers, type HandlerContext } from "cqrx";
import { BookExistsError, BookNotFoundError } from "./books.errors.js";
import { AddBook, BookAdded, RemoveBook } from "./books.messages.js";
import { BooksStore } from "./books.store.js";

/** The write side: decorators mark the methods, and `registerHandlers` registers them once everything is injected. */
@Injectable()
export class BooksHandlers implements OnModuleInit {
  constructor(
    private readonly commandBus: CommandBus,
    private readonly eventBus: EventBus,
    private readonly books: BooksStore,
  ) {}

  onModuleInit(): void {
    registerHandlers(this, { commandBus: this.commandBus, eventBus: this.eventBus });
  }

  @command(AddBook)
  add({ title, author }: AddBook, context: HandlerContext): void {
    if (this.books.find(title) !== undefined) throw new BookExistsError(title);
    const book = this.books.add(title, author);
    // Published when this command has succeeded, and dropped if it fails.
    this.eventBus.enqueue(new BookAdded(book), { causedBy: context });
  }

  @command(RemoveBook)
  remove({ id }: RemoveBook): void {
    if (!this.books.remove(id)) throw new BookNotFoundError();
  }

  /** Any number of handlers may follow an event; this one would write to the book club. */
  @event(BookAdded)
  announce({ book }: BookAdded): void {
    console.log(`To the book club: “${book.title}” by ${book.author} is on the list.`);
  }
}
