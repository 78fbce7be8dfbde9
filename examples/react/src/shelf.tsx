import { queryBus } from "./buses";
import { BookItem } from "./book-item";
import { GetShelf, RemoveBook } from "./messages";
import { useLive } from "./use-live";

const shelf = queryBus.watch(new GetShelf());

/** The live list. */
export function Shelf({ send }: { send: (command: object) => void }) {
  const { status, value: books = [], error } = useLive(shelf);
  if (status === "pending") return <p className="empty">Loading …</p>;
  if (status === "error") return <p className="problem">{String(error)}</p>;
  if (books.length === 0) return <p className="empty">Nothing yet. Find a book and add it.</p>;
  return (
    <ul className="books">
      {books.map((book) => (
        <BookItem key={book.id} book={book} saving={book.saving}>
          <button
            className="plain"
            disabled={book.saving}
            aria-label={`Remove ${book.title}`}
            onClick={() => send(new RemoveBook(book.id))}
          >
            Remove
          </button>
        </BookItem>
      ))}
    </ul>
  );
}
