import { describeValue } from "../checks.js";
import { InvalidMessageError } from "../errors.js";
import type { StandardSchema } from "../util/standard-schema.js";

/** The three kinds of message, one bus for each. */
export type MessageKind = "command" | "query" | "event";

/**
 * A message type is the class itself: handlers are found by class identity, never by class name. A command or a query
 * is handled by the handler of exactly its class. For events, `ofType`, `when` and schemas, a class names itself
 * and all classes below it, so that an abstract base class names a whole family.
 *
 * Optional statics of the class control how messages are written and read: `static messageName` (survives
 * minifiers), `static version`, `static schema` (a Standard Schema, used for reading), `static fromJSON`
 * (builds the instance) and `static upcast` (lifts the payload of an older version).
 */
export type MessageType<M = object> = (abstract new (...args: never[]) => M) & MessageTypeStatics;

/** Optional statics of a message class. */
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
 * Optional base class of queries: a query reads state and changes nothing. `R` is the type that `ask` resolves to.
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

/** A message of this kind, or one that is not marked at all: an instance, neither its class nor an envelope. */
export type MessageOf<K extends MessageKind> = object & MarkedAs<K>;

/** Fields that exist in types only, so that the compiler refuses what is not a message, and its error says why. */
interface MarkedAs<K extends MessageKind> {
  readonly "~kind"?: K;
  readonly "~envelope"?: never;
  /** Every class has a `prototype`, and the compiler quotes this type where it finds one. */
  readonly prototype?: "an instance, not its class: did you forget new?";
}

/** The result of a query: the `R` of `Query<R>`, or `Unmarked` for a class without the marker. */
export type ResultOf<Q, Unmarked = unknown> = Q extends { readonly "~result": infer R } ? R : Unmarked;

/** Returns the class of a message, or `undefined` for a value without one, such as `Object.create(null)`. */
export function typeOf(message: unknown): MessageType | undefined {
  return message === null || message === undefined
    ? undefined
    : ((Object.getPrototypeOf(message) as { constructor?: MessageType } | null)?.constructor ?? undefined);
}

/** Returns false for arrow functions and methods, too. */
export function isClass(type: unknown): boolean {
  return typeof type === "function" && type.prototype !== undefined;
}

/** @throws InvalidMessageError if the type is not a class */
export function checkClass(type: unknown): void {
  if (!isClass(type))
    throw new InvalidMessageError(
      `A message type is a class; received ${describeValue(type)}. ` +
        "If the class is imported, look for an import cycle.",
    );
}

/**
 * A static of the classes that `defineCommand`, `defineQuery` and `defineEvent` return: makes an instance of a payload
 * that was read from JSON.
 */
export const READ = Symbol.for("cqrx.read");

/**
 * Returns the name of a message type for envelopes and logs. The `messageName` of a base class is not
 * inherited, because it names one class.
 */
export function nameOf(type: MessageType | undefined): string {
  if (typeof type !== "function") return String(type);
  const { messageName } = type;
  // The inherited value is read first because that is fast, and most classes and their bases have no messageName.
  return messageName !== undefined && hasWrittenName(type) ? messageName : type.name || ANONYMOUS;
}

/** The name of a class without a name. */
export const ANONYMOUS = "(anonymous class)";

/**
 * Returns true if the application gave the type a name by `static messageName`, which no minifier changes and
 * no second class shares by accident. Data that leaves the process is keyed by such names only.
 *
 * `class CreateUser extends defineCommand(name, schema)` is what the name was written for, so the class directly below
 * has it, too.
 */
export function hasWrittenName(type: MessageType): boolean {
  return (
    Object.hasOwn(type, "messageName") || Object.hasOwn((Object.getPrototypeOf(type) ?? type) as object, READ)
  );
}

/** Returns the version of a message type for envelopes. */
export function versionOf(type: MessageType | undefined): number {
  return type?.version ?? 1;
}

/**
 * Returns the kind of message that a class is marked as by its base class, or `undefined` for a class without a marker
 * and for any other value.
 *
 * @example
 * kindOf(class CreateUser extends Command {}); // "command"
 */
export function kindOf(type: MessageType): MessageKind | undefined {
  return (type as { readonly prototype?: { readonly "~kind"?: MessageKind } } | null | undefined)
    ?.prototype?.["~kind"];
}

/** Returns a function that tells whether a message is of one of the types: of the class itself or of one below it. */
export function matcher(types: readonly MessageType[]): (message: object) => boolean {
  if (types.length === 1) {
    const [only] = types;
    return (message) => isOfType(message, only!);
  }
  // Known answers by prototype, because a message must not be compared with every type of a long list.
  const known = new WeakMap<object, boolean>();
  return (message) => {
    const prototype = Object.getPrototypeOf(message) as object | null;
    if (prototype === null) return false;
    let matches = known.get(prototype);
    if (matches === undefined)
      known.set(prototype, (matches = types.some((type) => isOfType(message, type))));
    return matches;
  };
}

/** Tells by the prototypes alone, because a class may decide by `Symbol.hasInstance` what else is an instance of it. */
function isOfType(message: object, type: MessageType): boolean {
  return Object.prototype.isPrototypeOf.call(type.prototype as object, message);
}

/**
 * Iterates over a class and its base classes, nearest first; by the prototypes, as compilers for ES5 link only those.
 */
export function* classesOf(type: MessageType | undefined): Generator<MessageType> {
  for (
    let prototype = type?.prototype as object | null | undefined;
    prototype != null;
    prototype = Object.getPrototypeOf(prototype) as object | null
  )
    yield prototype.constructor as MessageType;
}
