// The errors of the business, and in one place the HTTP status of each.
import { InvalidMessageError } from "cqrx";
import { httpStatusOf } from "cqrx/http";

abstract class UsersError extends Error {
  abstract readonly code: string;

  override get name(): string {
    return this.constructor.name;
  }
}

export class UserExistsError extends UsersError {
  readonly code = "USER_EXISTS";

  constructor(userId: string) {
    super(`User ${userId} exists already.`);
  }
}

export class UserNotFoundError extends UsersError {
  readonly code = "USER_NOT_FOUND";

  constructor(userId: string) {
    super(`There is no user ${userId}.`);
  }
}

export class TooManyError extends UsersError {
  readonly code: "TOO_MANY_CONNECTIONS" | "TOO_MANY_CLIENTS";

  constructor(what: "connections" | "clients", most: number) {
    super(`There are ${most} ${what} already; try again in a moment.`);
    this.code = what === "connections" ? "TOO_MANY_CONNECTIONS" : "TOO_MANY_CLIENTS";
  }
}

const statuses: Readonly<Record<string, number>> = {
  USER_NOT_FOUND: 404,
  USER_EXISTS: 409,
  TOO_MANY_CONNECTIONS: 503,
  TOO_MANY_CLIENTS: 503,
};

/** The texts for errors of cqrx, whose own are meant for developers. */
const texts: Readonly<Record<string, string>> = {
  INVALID_MESSAGE: "This is not valid; see issues.",
  UNAUTHORIZED: "You may not do this.",
};

/** Returns the text of an error for the people who use the service. */
export function textOf({ code = "", message = "" }: ErrorFields): string {
  return texts[code] ?? message;
}

interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Returns the issues that a schema found, with the path of each field as a text. */
export function issuesOf(error: unknown): readonly Issue[] {
  if (!(error instanceof InvalidMessageError)) return [];
  return error.issues.map(({ path = [], message }) => ({ path: path.map(String).join("."), message }));
}

interface ErrorFields {
  readonly code?: string;
  readonly message?: string;
  readonly statusCode?: number;
}

export interface HttpError {
  readonly status: number;
  readonly body: { readonly error: string; readonly message: string; readonly issues?: readonly object[] };
}

/** Converts an error to a reply. The reply to an unexpected error says nothing about it. */
export function toHttp(error: unknown): HttpError {
  const { code = "", message = "", statusCode } = error as ErrorFields;
  // Fastify's own errors, such as a body that is not JSON, know their status.
  const status = statusCode ?? httpStatusOf(error, statuses);
  if (error instanceof TooManyError) return { status, body: { error: code, message } };
  if (status === 503) return { status, body: { error: "SHUTTING_DOWN", message: "Try again in a moment." } };
  if (status >= 500) return { status, body: { error: "INTERNAL", message: "Something went wrong." } };
  const issues = issuesOf(error);
  return {
    status,
    body: { error: code, message: textOf(error as ErrorFields), ...(issues.length > 0 && { issues }) },
  };
}
