// The write side's memory; a repository in a real application.
import { randomUUID } from "node:crypto";
import { Injectable } from "@nestjs/common";

export interface Book {
  readonly id: string;
  readonly title: string;
  readonly author: string;
}

@Injectable()
export class BooksStore {
  readonly #books = new Map<string, Book>();

  list(): readonly Book[] {
    return [...this.#books.values()];
  }

  find(title: string): Book | undefined {
    return this.list().find((book) => book.title.toLowerCase() === title.toLowerCase());
  }

  add(title: string, author: string): Book {
    const book = { id: randomUUID(), title, author };
    this.#books.set(book.id, book);
    return book;
  }

  remove(id: string): boolean {
    return this.#books.delete(id);
  }
}
