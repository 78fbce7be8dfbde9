import { escapeText } from "./escape.js";
import type { Copy } from "./redacted-copy.js";

const OWN = new Set(["name", "message", "stack", "cause", "errors", "constructor"]);

/**
 * An error for pino's `err` serializer: a copy whose texts are escaped, down to its causes and `errors`. Of its own fields those that are
 * text, numbers or booleans are kept; objects are not, for they are where requests and payloads are found.
 */
export function loggableError(reason: unknown, copy: Copy): Error {
  return copyOf(reason, copy, new Map());
}

function copyOf(reason: unknown, copy: Copy, seen: Map<unknown, Error>): Error {
  const before = seen.get(reason);
  // Once in full: the serializer writes shared causes out each time, which doubles with each level that shares them.
  if (before !== undefined) return mentionOf(before);
  // What the serializer looks at, as an error has it: not enumerable. `type` comes from the constructor, or else from the name.
  const made = Object.create(Error.prototype, { constructor: hidden(undefined) }) as Error;
  if (typeof reason === "object" && reason !== null) seen.set(reason, made);
  try {
    if (isErrorLike(reason)) fill(made, reason, copy, seen);
    else fillFromValue(made, reason);
  } catch {
    // An error whose own accessors throw.
    Object.defineProperties(made, {
      name: hidden("Error"),
      message: hidden("(an error that cannot be read)"),
      stack: hidden(""),
    });
  }
  return made;
}

function mentionOf({ name, message }: Error): Error {
  return Object.create(Error.prototype, {
    constructor: hidden(undefined),
    name: hidden(name),
    message: hidden(message),
    stack: hidden(""),
  }) as Error;
}

function fill(made: Error, error: Error, copy: Copy, seen: Map<unknown, Error>): void {
  const { message, constructor } = error;
  const name = String(error.name);
  const errors = (error as { errors?: unknown }).errors;
  const cause = typeof error.cause === "function" ? undefined : error.cause;
  Object.defineProperties(made, {
    name: hidden(escapeText(name)),
    message: hidden(escapeText(message)),
    stack: hidden(escapeStack(typeof error.stack === "string" ? error.stack : "", message)),
    constructor: hidden(
      typeof constructor === "function" && constructor.name === escapeText(constructor.name)
        ? constructor
        : undefined,
    ),
  });
  if (cause !== undefined) Object.defineProperty(made, "cause", hidden(copyOf(cause, copy, seen)));
  if (Array.isArray(errors))
    Object.defineProperty(made, "errors", hidden(errors.map((each) => copyOf(each, copy, seen))));
  const simple = Object.entries(error).filter(
    ([key, value]) => !OWN.has(key) && /^(string|number|boolean|bigint)$/.test(typeof value),
  );
  for (const [key, value] of Object.entries(copy(Object.fromEntries(simple)) as object))
    Object.defineProperty(made, key, { value: value as unknown, enumerable: true, configurable: true });
}

/** Something else that was thrown, or the reason of an abort. Only what is text by itself is shown. */
function fillFromValue(made: Error, value: unknown): void {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  Object.defineProperties(made, {
    name: hidden(value === null ? "null" : typeof value),
    message: hidden(isObject ? "(a value that is not an Error)" : escapeText(String(value))),
    stack: hidden(""),
  });
}

/** The message inside the stack becomes one line; what is left of the line ends are those of the frames. */
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

function hidden(value: unknown): PropertyDescriptor {
  return { value, writable: true, configurable: true, enumerable: false };
}
