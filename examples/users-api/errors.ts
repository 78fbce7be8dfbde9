// What can go wrong in the business, and, in one place, which HTTP status each error is.
import type { StandardIssue } from "cqrx";

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

export class ForbiddenError extends UsersError {
  readonly code = "FORBIDDEN";

  constructor(messageType: string, role: string) {
    super(`${messageType} needs the role ${role}.`);
  }
}

export class TooManyError extends UsersError {
  readonly code: "TOO_MANY_CONNECTIONS" | "TOO_MANY_CLIENTS";

  constructor(what: "connections" | "clients", most: number) {
    super(`There are ${most} ${what} already; try again in a moment.`);
    this.code = what === "connections" ? "TOO_MANY_CONNECTIONS" : "TOO_MANY_CLIENTS";
  }
}

export class InvalidInputError extends UsersError {
  readonly code = "INVALID_INPUT";
  readonly issues: readonly { readonly path: string; readonly message: string }[];

  constructor(messageType: string, issues: readonly StandardIssue[]) {
    super(`${messageType} is not valid; see issues.`);
    this.issues = issues.map(({ path = [], message }) => ({ path: path.map(String).join("."), message }));
  }
}

const statusOf: Readonly<Record<string, number>> = {
  INVALID_INPUT: 400,
  INVALID_MESSAGE: 400, // cqrx: a header that cannot travel with a message
  FORBIDDEN: 403,
  USER_NOT_FOUND: 404,
  USER_EXISTS: 409,
  BUS_CLOSED: 503, // cqrx: shutting down
  TOO_MANY_CONNECTIONS: 503,
  TOO_MANY_CLIENTS: 503,
};

interface ErrorFields {
  readonly code?: string;
  readonly message?: string;
  readonly statusCode?: number;
  readonly issues?: readonly object[];
}

export interface HttpError {
  readonly status: number;
  readonly body: { readonly error: string; readonly message: string; readonly issues?: readonly object[] };
}

/** Converts an error to a reply. The reply to an unexpected error says nothing about it. */
export function toHttp(error: unknown): HttpError {
  const { code = "", message = "", statusCode, issues = [] } = error as ErrorFields;
  // Fastify's own errors, such as a body that is not JSON, know their status.
  const status = (Object.hasOwn(statusOf, code) ? statusOf[code] : statusCode) ?? 500;
  if (error instanceof TooManyError) return { status, body: { error: code, message } };
  if (status === 503) return { status, body: { error: "SHUTTING_DOWN", message: "Try again in a moment." } };
  if (status >= 500) return { status, body: { error: "INTERNAL", message: "Something went wrong." } };
  return { status, body: { error: code, message, ...(issues.length > 0 && { issues }) } };
}
