import { Subscription } from "rxjs";
import { COPY, MADE_BY } from "../util/copy.js";
import {
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  InvalidHandlerError,
  InvalidMessageError,
} from "../errors.js";
import {
  ANONYMOUS,
  checkClass,
  classesOf,
  kindOf,
  nameOf,
  typeOf,
  type MessageKind,
  type MessageType,
} from "../messages/message.js";
import { registrationFor } from "./check-handler.js";
import type { Handler, RefreshOptions, Registration } from "./handler.js";

/**
 * Message type → handler, by identity of the class; an event also reaches the handlers of its base classes. May be
 * shared between buses of one kind; the first bus decides which.
 *
 * @example
 * const registry = new HandlerRegistry();
 * const bus = new CommandBus({ registry });
 * bus.register(CreateUser, createUser);
 * registry.has(CreateUser); // true
 */
export class HandlerRegistry {
  // Arrays are replaced and never changed, so that a message keeps the handlers that it found.
  readonly #registrations = new Map<unknown, readonly Registration[]>();
  /**
   * The handlers that a message of a class has: for events, also those of its base classes, as far as they were
   * looked up.
   */
  #lookup: Map<unknown, readonly Registration[]> = this.#registrations;
  /** The order of registration over all classes; kept for events only. */
  readonly #order = new WeakMap<Registration, number>();
  #registered = 0;
  /** The types by the letters in their names, so that a similar name is found among 10,000 without a search. */
  readonly #byLetters = new Map<number, Set<MessageType>>();
  readonly #listeners = new Set<() => void>();
  #kind: MessageKind | undefined;

  /**
   * @throws HandlerAlreadyRegisteredError for a second handler of a type, unless the registry belongs to
   * event buses.
   */
  register<M extends object>(
    type: MessageType<M>,
    handler: Handler<M>,
    refresh?: RefreshOptions<M, never>,
  ): Subscription {
    return this.add(type, registrationFor(type, handler, refresh));
  }

  /** Returns the handler of a type as it was registered, for events the first. @throws HandlerNotFoundError */
  get<M extends object>(type: MessageType<M>): Handler<M> {
    const [first] = this.#registrations.get(type) ?? [];
    if (first === undefined) throw this.notFound(type);
    return first.handler as Handler<M>;
  }

  has(type: MessageType): boolean {
    return this.#registrations.has(type);
  }

  /** Removes all handlers; messages in flight keep theirs. */
  clear(): void {
    this.#registrations.clear();
    this.#lookup.clear();
    this.#byLetters.clear();
  }

  /** Returns the registered types in order of registration. */
  types(): readonly MessageType[] {
    return [...this.#registrations.keys()] as MessageType[];
  }

  get size(): number {
    return this.#registrations.size;
  }

  /** @internal */
  get [MADE_BY](): typeof COPY {
    return COPY;
  }

  /** @internal Binds the registry to a kind of bus, because a query bus must not run command handlers. */
  adopt(kind: MessageKind): void {
    if (this.#kind !== undefined && this.#kind !== kind) {
      throw new InvalidHandlerError(
        `This registry belongs to ${this.#kind} buses; give the ${kind} bus one of its own.`,
      );
    }
    for (const type of this.types()) checkKind(type, kind, "register its handler");
    if (kind === "event" && this.#kind === undefined) this.#lookup = new Map();
    this.#kind = kind;
  }

  /** @internal */
  add(type: MessageType, registration: Registration): Subscription {
    checkType(type, this.#kind);
    const before = this.#registrations.get(type);
    if (before !== undefined && (this.#kind ?? kindOf(type)) !== "event")
      throw new HandlerAlreadyRegisteredError(nameOf(type));
    this.#registrations.set(type, before === undefined ? [registration] : [...before, registration]);
    this.#order.set(registration, ++this.#registered);
    this.#forgetLookups();
    const letters = lettersOf(nameOf(type));
    this.#byLetters.set(letters, (this.#byLetters.get(letters) ?? new Set()).add(type));
    for (const listener of this.#listeners) listener();
    return new Subscription(() => this.#remove(type, registration));
  }

  /** @internal Calls `listener` at each registration; the returned function ends that. */
  whenRegistered(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #remove(type: MessageType, registration: Registration): void {
    this.#forgetLookups();
    const left = this.#registrations.get(type)?.filter((other) => other !== registration) ?? [];
    if (left.length > 0) this.#registrations.set(type, left);
    else if (this.#registrations.delete(type)) this.#byLetters.get(lettersOf(nameOf(type)))?.delete(type);
  }

  /** @internal */
  find(message: object): readonly Registration[] | undefined {
    try {
      // Fast path. If the message shadows `constructor` with a field of its own, the lookup misses and the
      // slow path decides.
      return this.#lookup.get(message.constructor) ?? this.#lookUp(typeOf(message));
    } catch {
      // Null, undefined, or a Proxy whose traps throw; the door refuses them.
      return undefined;
    }
  }

  #lookUp(type: MessageType | undefined): readonly Registration[] | undefined {
    const known = this.#lookup.get(type);
    if (known !== undefined || this.#lookup === this.#registrations) return known;
    const found = [...classesOf(type)].flatMap((base) => this.#registrations.get(base) ?? []);
    if (found.length === 0) return undefined;
    found.sort((a, b) => this.#order.get(a)! - this.#order.get(b)!);
    this.#lookup.set(type, found);
    return found;
  }

  #forgetLookups(): void {
    if (this.#lookup !== this.#registrations) this.#lookup.clear();
  }

  /** @internal Returns all registrations, for `describe()`. */
  entries(): Iterable<[MessageType, readonly Registration[]]> {
    return this.#registrations.entries() as Iterable<[MessageType, readonly Registration[]]>;
  }

  /** @internal Returns an error that names the types that the caller may have meant. */
  notFound(type: MessageType | undefined): HandlerNotFoundError {
    const name = nameOf(type);
    if (type === Object)
      return new HandlerNotFoundError(
        name,
        " A plain object, and a copy such as { ...message }, has no class: pass an instance.",
      );
    for (const base of classesOf(type)) {
      if (this.#registrations.has(base))
        return new HandlerNotFoundError(
          name,
          ` Its base class ${nameOf(base)} has one, but handlers are found by exact class.`,
        );
    }
    for (const known of this.#byLetters.get(lettersOf(name)) ?? []) {
      if (known !== type && nameOf(known) === name && name !== ANONYMOUS)
        return new HandlerNotFoundError(name, " Another class of the same name has one: loaded twice?");
    }
    const nearest = this.#nearest(name);
    return new HandlerNotFoundError(
      name,
      nearest.length === 0 ? " Nothing is registered yet." : ` Nearest registered: ${nearest.join(", ")}.`,
    );
  }

  /**
   * Compares 100 names at most, because an unknown message must not block the process: first those whose letters
   * differ by two or less, then the others in order of registration.
   */
  #nearest(name: string): readonly string[] {
    const letters = lettersOf(name);
    const candidates = new Set(this.#byLetters.get(letters));
    for (let one = 0; one < 32; one++)
      for (let other = one; other < 32; other++)
        for (const type of this.#byLetters.get(letters ^ ((1 << one) | (1 << other))) ?? [])
          candidates.add(type);
    for (const type of this.#registrations.keys()) {
      if (candidates.size >= 100) break;
      candidates.add(type as MessageType);
    }
    const distance = distanceFrom(name);
    return [...candidates]
      .slice(0, 100)
      .map(nameOf)
      .map((known) => ({ known, distance: distance(known) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, 3)
      .map(({ known }) => known);
  }
}

/** Returns a number with one bit set for each letter that occurs in a name. */
function lettersOf(name: string): number {
  let letters = 0;
  for (let at = 0; at < name.length && at < 64; at++) letters |= 1 << (name.charCodeAt(at) & 31);
  return letters;
}

/**
 * Returns a function that measures how far a name is from `name`: 0 for equal names, 1 for names without a
 * common pair of letters (Dice).
 */
function distanceFrom(name: string): (other: string) => number {
  // Names are cut at 64 pairs, because a name that comes from outside may have any length.
  const pairsOf = (text: string): string[] =>
    Array.from({ length: Math.min(Math.max(text.length - 1, 1), 64) }, (_, at) =>
      text.slice(at, at + 2).toLowerCase(),
    );
  const pairs = pairsOf(name);
  return (other) => {
    const others = pairsOf(other);
    const known = new Set(others);
    return 1 - (2 * pairs.filter((pair) => known.has(pair)).length) / (pairs.length + others.length);
  };
}

function checkType(type: MessageType, kind: MessageKind | undefined): void {
  checkClass(type);
  if (kind !== undefined) checkKind(type, kind, "register its handler");
}

const BUSES = { command: "a CommandBus", query: "a QueryBus", event: "an EventBus" } as const;
const SEND = { command: "dispatch it", query: "ask it", event: "publish it" } as const;

/**
 * @param action - completes the text: what to do on the right bus
 * @throws InvalidMessageError for a type that is marked as one of another kind
 */
export function checkKind(type: MessageType, kind: MessageKind, action?: string): void {
  const marked = kindOf(type);
  if (marked === undefined || marked === kind) return;
  const messageType = nameOf(type);
  throw new InvalidMessageError(
    `${messageType} is ${marked === "event" ? "an" : "a"} ${marked}; ${action ?? SEND[marked]} on ${BUSES[marked]}.`,
    { messageType },
  );
}
