import { escapeText } from "./escape-text.js";
import type { Copy } from "./plain-copy.js";

const OWN = new Set(["name", "message", "stack", "cause", "errors", "constructor"]);

/**
 * Copies an error for pino's `err` serializer, together with its causes and `errors`.
 *
 * Texts are escaped. Fields with objects are dropped, because objects hold requests and payloads. Each error
 * is copied in full once, because the serializer writes a shared cause out each time, which doubles with
 * every level that shares it.
 */
export function loggableError(reason: unknown, copy: Copy): Error {
  return copyOf(reason, copy, new Map());
}

function copyOf(reason: unknown, copy: Copy, seen: Map<unknown, Error>): Error {
  const before = seen.get(reason);
  if (before !== undefined) return errorWith({ name: before.name, message: before.message, stack: "" });
  // `constructor` is cleared, so that the serializer takes `type` from the name unless `fill` finds a
  // constructor.
  const made = errorWith({});
  if (typeof reason === "object" && reason !== null) seen.set(reason, made);
  try {
    if (isErrorLike(reason)) fill(made, reason, copy, seen);
    else define(made, describedValue(reason));
  } catch {
    // An accessor of the error threw.
    define(made, { name: "Error", message: "(an error that cannot be read)", stack: "" });
  }
  return made;
}

function fill(made: Error, error: Error, copy: Copy, seen: Map<unknown, Error>): void {
  const { message, constructor } = error;
  const { errors } = error as { errors?: unknown };
  const cause = typeof error.cause === "function" ? undefined : error.cause;
  define(made, {
    name: escapeText(String(error.name)),
    message: escapeText(message),
    stack: escapeStack(typeof error.stack === "string" ? error.stack : "", message),
  });
  if (typeof constructor === "function" && constructor.name === escapeText(constructor.name))
    define(made, { constructor });
  if (cause !== undefined) define(made, { cause: copyOf(cause, copy, seen) });
  if (Array.isArray(errors)) define(made, { errors: errors.map((each) => copyOf(each, copy, seen)) });
  const simple = Object.entries(error).filter(
    ([key, value]) => !OWN.has(key) && /^(string|number|boolean|bigint)$/.test(typeof value),
  );
  for (const [key, value] of Object.entries(copy(Object.fromEntries(simple)) as object))
    Object.defineProperty(made, key, { value: value as unknown, enumerable: true, configurable: true });
}

/**
 * Describes a thrown value or abort reason that is not an error; shows nothing of an object, because it may be
 * a payload.
 */
function describedValue(value: unknown): { [field: string]: string } {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  return {
    name: value === null ? "null" : typeof value,
    message: isObject ? "(a value that is not an Error)" : escapeText(String(value)),
    stack: "",
  };
}

/** Escapes the message inside the stack, so that only frames begin lines. */
function escapeStack(stack: string, message: string): string {
  const at = stack.indexOf(message);
  const end = at < 0 ? 0 : at + message.length;
  const [rest = "", ...lines] = stack.slice(end).split("\n");
  return lines.reduce(
    (text, line) => `${text}${/^\s+at /.test(line) ? "\n" : "\\n"}${escapeText(line)}`,
    escapeText(stack.slice(0, end)) + escapeText(rest),
  );
}

function isErrorLike(value: unknown): value is Error {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { message?: unknown }).message === "string"
  );
}

function errorWith(fields: { readonly [field: string]: unknown }): Error {
  const made = Object.create(Error.prototype) as Error;
  define(made, { constructor: undefined, ...fields });
  return made;
}

/** Defines fields that are not enumerable, as those of an error are. */
function define(made: Error, fields: { readonly [field: string]: unknown }): void {
  for (const [field, value] of Object.entries(fields))
    Object.defineProperty(made, field, { value, writable: true, configurable: true, enumerable: false });
}
