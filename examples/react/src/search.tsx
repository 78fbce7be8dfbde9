import { useState } from "react";
import { debounceTime, distinctUntilChanged, map, of, Subject, switchMap, type Observable } from "rxjs";
import { searches$ } from "./api";
import { BookItem } from "./book-item";
import { queryBus } from "./buses";
import { AddBook, SearchBooks, type Book } from "./messages";
import { useObservable } from "./use-observable";

/** Type ahead: switchMap leaves the previous search, which aborts the signal of its handler. */
function found(texts$: Observable<string>): Observable<readonly Book[]> {
  return texts$.pipe(
    map((text) => text.trim()),
    debounceTime(100),
    distinctUntilChanged(),
    switchMap((text) => (text === "" ? of([]) : queryBus.ask$(new SearchBooks(text)))),
  );
}

export function Search({ send }: { send: (command: object) => void }) {
  const [texts$] = useState(() => new Subject<string>());
  const books = useObservable(() => found(texts$)) ?? [];
  const { asked, aborted } = useObservable(() => searches$) ?? searches$.value;
  return (
    <>
      <label htmlFor="search">Title or author</label>
      <input
        id="search"
        type="search"
        autoComplete="off"
        placeholder="austen, war, the …"
        onChange={({ target }) => texts$.next(target.value)}
      />
      <p className="numbers" role="status">
        <span>
          searches asked <b>{asked}</b>
        </span>
        <span>
          aborted <b>{aborted}</b>
        </span>
      </p>
      <ul className="books" aria-label="Found">
        {books.map((book) => (
          <BookItem key={book.id} book={book}>
            <button aria-label={`Add ${book.title}`} onClick={() => send(new AddBook(book))}>
              Add
            </button>
          </BookItem>
        ))}
      </ul>
    </>
  );
}
