import { queryBus } from "./buses";
import { BookItem } from "./book-item";
import { GetShelf, RemoveBook, type ShelfBook } from "./messages";
import { useLive } from "./use-live";

type Send = (command: object) => void;

const shelf = queryBus.watch(new GetShelf());

/** The live list, with its loading and error states. */
export function Shelf({ send }: { send: Send }) {
  const { status, value: books, error } = useLive(shelf);
  if (status === "pending") return <p className="empty">Loading …</p>;
  if (status === "error") return <p className="problem">{String(error)}</p>;
  if (books.length === 0) return <p className="empty">Nothing yet. Find a book and add it.</p>;
  const items = books.map((book) => <ShelfItem key={book.id} book={book} send={send} />);
  return <ul className="books">{items}</ul>;
}

function ShelfItem({ book, send }: { book: ShelfBook; send: Send }) {
  const { id, title, saving } = book;
  const remove = () => send(new RemoveBook(id));
  return (
    <BookItem book={book} saving={saving}>
      <button className="plain" disabled={saving} aria-label={`Remove ${title}`} onClick={remove}>
        Remove
      </button>
    </BookItem>
  );
}
