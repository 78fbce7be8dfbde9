import { InvalidMessageError } from "../errors.js";
import type { StandardSchema } from "../util/standard-schema.js";

/** The three kinds of message, one bus for each. */
export type MessageKind = "command" | "query" | "event";

/**
 * A message type is the class itself: handlers are found by class identity, never by class name.
 *
 * A class may say more about how it is written down, all optional:
 * `static messageName` (survives minifiers), `static version`, `static schema` (Standard Schema, used when reading),
 * `static fromJSON` (rebuilds an instance) and `static upcast` (lifts the payload of an older version).
 */
export type MessageType<M = object> = (abstract new (...args: never[]) => M) & MessageTypeStatics;

export interface MessageTypeStatics {
  /** The name in envelopes and logs. @defaultValue the class name */
  readonly messageName?: string;
  /** The version in envelopes, a positive integer. @defaultValue 1 */
  readonly version?: number;
  /** Checks a payload that is read from JSON. */
  readonly schema?: StandardSchema;
}

/**
 * Optional base class of commands: a command changes state and returns nothing.
 *
 * Guarantees: any class can be a command; the marker only lets types and buses tell the kinds apart.
 *
 * @example
 * class CreateUser extends Command {
 *   constructor(readonly userId: string, readonly email: string) { super(); }
 * }
 */
export class Command {
  /** On the prototype, so that it never shows up in a payload and is the same in both module formats. */
  get "~kind"(): "command" {
    return "command";
  }
}

/**
 * Optional base class of queries: a query reads state and changes nothing.
 * `R` is the type that `ask` resolves to.
 *
 * @example
 * class GetUserEmail extends Query<string | null> {
 *   constructor(readonly userId: string) { super(); }
 * }
 */
export class Query<R> {
  get "~kind"(): "query" {
    return "query";
  }

  declare readonly "~result": R;
}

/** Optional base class of domain events: an event says what happened. */
export class DomainEvent {
  get "~kind"(): "event" {
    return "event";
  }
}

/** A message that is not marked as one of another kind. */
export type MessageOf<K extends MessageKind> = object & { readonly "~kind"?: K };

/** What a query resolves to: the `R` of `Query<R>`, or `Unmarked` for a class without the marker. */
export type ResultOf<Q, Unmarked = unknown> = Q extends { readonly "~result": infer R } ? R : Unmarked;

/** The class of a message; `undefined` for what has none, such as `Object.create(null)`. */
export function typeOf(message: unknown): MessageType | undefined {
  return message === null || message === undefined
    ? undefined
    : ((Object.getPrototypeOf(message) as { constructor?: MessageType } | null)?.constructor ?? undefined);
}

/** @throws InvalidMessageError */
export function checkClass(type: unknown): void {
  if (typeof type !== "function" || type.prototype === undefined)
    throw new InvalidMessageError(
      `A message type is a class; received ${type === null ? "null" : typeof type}. Should it be one, look for an import cycle.`,
    );
}

/** The name of a message type as envelopes and logs show it. A base class's `messageName` is not inherited: it names one class. */
export function nameOf(type: MessageType | undefined): string {
  if (typeof type !== "function") return String(type);
  const { messageName } = type;
  // Looked at first because it is quick: most classes, and their bases, have none.
  return messageName !== undefined && Object.hasOwn(type, "messageName")
    ? messageName
    : type.name || "(anonymous class)";
}

/** The version of a message type as envelopes show it. */
export function versionOf(type: MessageType | undefined): number {
  return type?.version ?? 1;
}

/** The kind a class is marked as, if it is. */
export function kindOf(type: MessageType): MessageKind | undefined {
  return (type.prototype as { readonly "~kind"?: MessageKind } | undefined)?.["~kind"];
}

/** Tests messages for being of one of the types. */
export function matcher(types: readonly MessageType[]): (message: object) => boolean {
  if (types.length === 1) {
    const [only] = types;
    return (message) => message.constructor === only || typeOf(message) === only;
  }
  const set = new Set<unknown>(types);
  return (message) => set.has(message.constructor) || set.has(typeOf(message));
}
