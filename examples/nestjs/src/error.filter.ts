// The one place where errors become HTTP: those of Nest know their status, all others get it from one table.
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from "@nestjs/common";
import { InvalidMessageError } from "cqrx";
import { httpStatusOf } from "cqrx/http";
import { BooksError } from "./books/books.errors.js";

const STATUSES = { BOOK_EXISTS: 409, BOOK_NOT_FOUND: 404 };

interface JsonResponse {
  status(status: number): { json(body: object): void };
}

@Catch()
export class ErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const status = error instanceof HttpException ? error.getStatus() : httpStatusOf(error, STATUSES);
    if (status === 500) console.error(error);
    host.switchToHttp().getResponse<JsonResponse>().status(status).json(bodyOf(error));
  }
}

/** Tells the texts that were written for users, and nothing of other errors. */
function bodyOf(error: unknown): object {
  if (error instanceof InvalidMessageError) return { message: "This is not valid.", issues: error.issues };
  if (error instanceof BooksError || error instanceof HttpException) return { message: error.message };
  return { message: "Something went wrong; try again in a moment." };
}
