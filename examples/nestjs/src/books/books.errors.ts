export abstract class BooksError extends Error {
  abstract readonly code: string;
}

export class BookExistsError extends BooksError {
  readonly code = "BOOK_EXISTS";

  constructor(title: string) {
    super(`“${title}” is on the list already.`);
  }
}

export class BookNotFoundError extends BooksError {
  readonly code = "BOOK_NOT_FOUND";

  constructor() {
    super("This book is not on the list.");
  }
}
