import { DestroyRef, inject, Injectable } from "@angular/core";
import { takeUntilDestroyed } from "@angular/core/rxjs-interop";
import { CommandBus, QueryBus, type HandlerContext } from "cqrx";
import { Subject } from "rxjs";
import * as api from "./api";
import { AddBook, GetShelf, RemoveBook, SearchBooks, type Book, type ShelfBook } from "./messages";

/** The handlers of the application, without components. */
@Injectable()
export class ReadingHandlers {
  /** The list as the server has it; undefined until it is asked, and when another tab has changed it. */
  #saved: readonly Book[] | undefined;
  /** The books that are on their way to the server. */
  #saving: readonly Book[] = [];
  readonly #changed$ = new Subject<void>();

  constructor() {
    const [commandBus, queryBus] = [inject(CommandBus), inject(QueryBus)];
    queryBus.register(SearchBooks, ({ text }, { signal }) => api.search(text, signal));
    queryBus.register(GetShelf, (_, context) => this.#getShelf(context), { refreshOn: this.#changed$ });
    commandBus.register(AddBook, ({ book }, context) => this.#add(book, context));
    commandBus.register(RemoveBook, ({ id }, context) => this.#remove(id, context));

    api.shelfChanged$.pipe(takeUntilDestroyed(inject(DestroyRef))).subscribe(() => {
      this.#saved = undefined;
      this.#changed$.next();
    });
  }

  async #getShelf({ signal }: HandlerContext): Promise<readonly ShelfBook[]> {
    if (this.#saved === undefined) {
      const read = await api.getShelf(signal);
      // A command may have brought a newer list meanwhile.
      this.#saved ??= read;
    }
    return [
      ...this.#saved.map((book) => ({ ...book, saving: false })),
      ...this.#saving.map((book) => ({ ...book, saving: true })),
    ];
  }

  /** Optimistic: the book is on the list before dispatch() returns, as everything up to the first await runs inside it. */
  async #add(book: Book, { signal }: HandlerContext): Promise<void> {
    this.#saving = [...this.#saving, book];
    this.#changed$.next();
    try {
      this.#saved = await api.addBook(book, signal);
    } finally {
      // Saved or refused: in either case the list is now what the server says. That is the rollback.
      this.#saving = this.#saving.filter((each) => each !== book);
      this.#changed$.next();
    }
  }

  async #remove(id: string, { signal }: HandlerContext): Promise<void> {
    this.#saved = await api.removeBook(id, signal);
    this.#changed$.next();
  }
}
