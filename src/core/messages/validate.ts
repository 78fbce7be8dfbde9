import { excerpt, InvalidMessageError } from "../errors.js";
import type { StandardIssue, StandardResult, StandardSchema } from "../util/standard-schema.js";
import { isThenable } from "../util/thenable.js";
import { nameOf, type MessageType } from "./message.js";

/**
 * Returns the value as the schema returns it, or a promise of it if the schema is asynchronous.
 *
 * @param path - the place of the value in the message, for the error: `payload`
 * @throws InvalidMessageError with the issues, and with the path of the first issue
 */
export function parsed(schema: StandardSchema, value: unknown, path: string, messageType: string): unknown {
  const result = schema["~standard"].validate(value);
  return isThenable(result)
    ? result.then((settled) => valueOf(settled, path, messageType))
    : valueOf(result, path, messageType);
}

function valueOf(result: StandardResult<unknown>, path: string, messageType: string): unknown {
  if (typeof result !== "object" || result === null)
    throw new InvalidMessageError(
      `The schema of ${messageType} did not return a result; its validate() must return { value } or { issues }.`,
      { path, messageType },
    );
  if (result.issues === undefined) return result.value;
  const at = path + (result.issues[0]?.path ?? []).map(written).join("");
  // The text of the schema library stays out of this text because it may quote the value.
  throw new InvalidMessageError(`${excerpt(at)} does not fit the schema; see issues.`, {
    path: at,
    // Each issue is copied without its other fields, because some libraries put the input there and no error
    // holds a payload.
    issues: result.issues.map(({ message, path }) => ({ message, path: path && Array.from(path, keyOf) })),
    messageType,
  });
}

/** Returns the error with the name of the message type at the start of its text, where it is missing. */
export function aboutType(type: MessageType, error: unknown): unknown {
  const messageType = nameOf(type);
  if (!(error instanceof InvalidMessageError) || error.message.startsWith(`${messageType}: `)) return error;
  const { message, path, issues, cause } = error;
  return new InvalidMessageError(`${messageType}: ${message}`, { messageType, path, issues, cause });
}

type PathStep = NonNullable<StandardIssue["path"]>[number];

/** Writes a step of a path as code does: `.key` or `[0]`. */
function written(step: PathStep): string {
  const key = keyOf(step);
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`;
}

function keyOf(step: PathStep): PropertyKey {
  return typeof step === "object" ? step.key : step;
}

/** Returns data as an instance of a message class, without calling the constructor. */
export function asInstance<M extends object>(data: object, type: MessageType<M>): M {
  if (data instanceof type) return data;
  const instance = Object.create(type.prototype as object) as { [key: string]: unknown };
  for (const key of Object.keys(data)) {
    const value = (data as { [key: string]: unknown })[key];
    // Fields that the class knows are defined, not assigned, because setters and inherited accessors of the class
    // must not see data from outside.
    if (key in instance)
      Object.defineProperty(instance, key, { value, writable: true, enumerable: true, configurable: true });
    else instance[key] = value;
  }
  return instance as M;
}
