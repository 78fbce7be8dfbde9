// The buses and their handlers: the application without React.
import { CommandBus, QueryBus } from "cqrx";
import { Subject } from "rxjs";
import * as api from "./api";
import { AddBook, GetShelf, RemoveBook, SearchBooks, type Book } from "./messages";

export const commandBus = new CommandBus();
export const queryBus = new QueryBus();

queryBus.register(SearchBooks, ({ text }, { signal }) => api.search(text, signal));

/** The list as the server has it; undefined until it is asked, and when another tab has changed it. */
let saved: readonly Book[] | undefined;
/** The books that are on their way to the server. */
let saving: readonly Book[] = [];
const changed$ = new Subject<void>();

api.shelfChanged$.subscribe(() => {
  saved = undefined;
  changed$.next();
});

queryBus.register(
  GetShelf,
  async (_query, { signal }) => {
    if (saved === undefined) {
      const read = await api.getShelf(signal);
      // A command may have brought a newer list meanwhile.
      saved ??= read;
    }
    return [
      ...saved.map((book) => ({ ...book, saving: false })),
      ...saving.map((book) => ({ ...book, saving: true })),
    ];
  },
  { refreshOn: changed$ },
);

// Optimistic: the book is on the list before dispatch() returns, because everything up to the first await runs inside it.
commandBus.register(AddBook, async ({ book }, { signal }) => {
  saving = [...saving, book];
  changed$.next();
  try {
    saved = await api.addBook(book, signal);
  } finally {
    // Saved or refused: in either case the list is now what the server says. That is the rollback.
    saving = saving.filter((each) => each !== book);
    changed$.next();
  }
});

commandBus.register(RemoveBook, async ({ id }, { signal }) => {
  saved = await api.removeBook(id, signal);
  changed$.next();
});
