// The server. A pretend one, so that the example runs by itself: it takes its time, can be aborted like fetch(), keeps
// its list in localStorage, and tells every other tab when the list has changed, as a real one would by server-sent events.
import { BehaviorSubject, Observable } from "rxjs";
import { catalogue } from "./catalogue";
import type { Book } from "./messages";

const KEY = "cqrx-example-shelf";

/** Emits when another tab has changed the list. */
export const shelfChanged$ = new Observable<void>((subscriber) => {
  const onStorage = ({ key }: StorageEvent): void => {
    if (key === KEY) subscriber.next();
  };
  addEventListener("storage", onStorage);
  return () => removeEventListener("storage", onStorage);
});

/** How many searches the server was asked, and how many of them were aborted. */
export const searches$ = new BehaviorSubject({ asked: 0, aborted: 0 });

/** While it is true, the server refuses every change. */
export const refusing = { current: false };

export async function search(text: string, signal: AbortSignal): Promise<readonly Book[]> {
  count({ asked: 1 });
  signal.addEventListener("abort", () => count({ aborted: 1 }), { once: true });
  await latency(500, signal);
  const words = text.toLowerCase().split(/\s+/);
  return catalogue
    .filter(({ title, author }) => words.every((word) => `${title} ${author}`.toLowerCase().includes(word)))
    .slice(0, 5);
}

export async function getShelf(signal: AbortSignal): Promise<readonly Book[]> {
  await latency(300, signal);
  return stored();
}

export async function addBook(book: Book, signal: AbortSignal): Promise<readonly Book[]> {
  await latency(800, signal);
  if (refusing.current) throw new Error(`The server refused “${book.title}”.`);
  return store([...stored().filter(({ id }) => id !== book.id), book]);
}

export async function removeBook(bookId: string, signal: AbortSignal): Promise<readonly Book[]> {
  await latency(300, signal);
  if (refusing.current) throw new Error("The server refused to remove it.");
  return store(stored().filter(({ id }) => id !== bookId));
}

function stored(): readonly Book[] {
  return JSON.parse(localStorage.getItem(KEY) ?? "[]") as readonly Book[];
}

function store(books: readonly Book[]): readonly Book[] {
  localStorage.setItem(KEY, JSON.stringify(books));
  return books;
}

function latency(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function count({ asked = 0, aborted = 0 }): void {
  const { value } = searches$;
  searches$.next({ asked: value.asked + asked, aborted: value.aborted + aborted });
}
