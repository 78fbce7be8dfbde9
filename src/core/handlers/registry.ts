import { Subscription } from "rxjs";
import {
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  InvalidHandlerError,
  InvalidMessageError,
} from "../errors.js";
import {
  checkClass,
  kindOf,
  nameOf,
  typeOf,
  type MessageKind,
  type MessageType,
} from "../messages/message.js";
import { registrationOf } from "./check-handler.js";
import type { Handler, RefreshOptions, Registration } from "./handler.js";

/**
 * Message type → handler, by identity of the class. May be shared between buses of one kind; the first bus decides which.
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
  readonly #listeners = new Set<() => void>();
  #kind: MessageKind | undefined;

  /** @throws HandlerAlreadyRegisteredError for a second handler of a type, unless the registry belongs to event buses. */
  register<M extends object>(
    type: MessageType<M>,
    handler: Handler<M>,
    refresh?: RefreshOptions<M, never>,
  ): Subscription {
    const name = nameOf(type);
    const registration = registrationOf(`The handler of ${name}`, handler, name);
    return this.add(type, refresh === undefined ? registration : { ...registration, refresh });
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
  }

  /** Returns the registered types in order of registration. */
  types(): readonly MessageType[] {
    return [...this.#registrations.keys()] as MessageType[];
  }

  get size(): number {
    return this.#registrations.size;
  }

  /** @internal Binds the registry to a kind of bus, because a query bus must not run command handlers. */
  adopt(kind: MessageKind): void {
    if (this.#kind !== undefined && this.#kind !== kind) {
      throw new InvalidHandlerError(
        `This registry belongs to ${this.#kind} buses; give the ${kind} bus one of its own.`,
      );
    }
    for (const type of this.types()) checkKind(type, kind);
    this.#kind = kind;
  }

  /** @internal */
  add(type: MessageType, registration: Registration): Subscription {
    checkType(type, this.#kind);
    const before = this.#registrations.get(type);
    if (before !== undefined && (this.#kind ?? kindOf(type)) !== "event")
      throw new HandlerAlreadyRegisteredError(nameOf(type));
    this.#registrations.set(type, before === undefined ? [registration] : [...before, registration]);
    for (const listener of this.#listeners) listener();
    return new Subscription(() => this.#remove(type, registration));
  }

  /** @internal Calls `listener` at each registration; the returned function ends that. */
  whenRegistered(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #remove(type: MessageType, registration: Registration): void {
    const left = this.#registrations.get(type)?.filter((other) => other !== registration) ?? [];
    if (left.length > 0) this.#registrations.set(type, left);
    else this.#registrations.delete(type);
  }

  /** @internal */
  find(message: object): readonly Registration[] | undefined {
    try {
      // Fast path. If the message shadows `constructor` with a field of its own, the lookup misses and the slow path decides.
      return this.#registrations.get(message.constructor) ?? this.#registrations.get(typeOf(message));
    } catch {
      // Null, undefined, or a Proxy whose traps throw; the door refuses them.
      return undefined;
    }
  }

  /** @internal Returns all registrations, for `describe()`. */
  entries(): Iterable<[MessageType, readonly Registration[]]> {
    return this.#registrations.entries() as Iterable<[MessageType, readonly Registration[]]>;
  }

  /** @internal Makes an error that names the types which the caller may have meant. */
  notFound(type: MessageType | undefined): HandlerNotFoundError {
    const name = nameOf(type);
    const base = this.types().find((known) => typeof type === "function" && type.prototype instanceof known);
    if (base !== undefined)
      return new HandlerNotFoundError(
        name,
        ` Its base class ${nameOf(base)} has one, but handlers are found by exact class.`,
      );
    const names = this.types().map(nameOf);
    const nearest = names.sort((a, b) => distance(a, name) - distance(b, name)).slice(0, 3);
    return new HandlerNotFoundError(
      name,
      nearest.length === 0 ? " Nothing is registered yet." : ` Nearest registered: ${nearest.join(", ")}.`,
    );
  }
}

/** Returns the share of neighbouring letter pairs that two names do not have in common, from 0 to 1: one minus Dice's coefficient. */
function distance(a: string, b: string): number {
  // Cut, because a name from outside may be of any length.
  const pairs = (name: string): string[] =>
    Array.from({ length: Math.min(Math.max(name.length - 1, 1), 64) }, (_, at) =>
      name.slice(at, at + 2).toLowerCase(),
    );
  const [left, right] = [pairs(a), pairs(b)];
  return 1 - (2 * left.filter((pair) => right.includes(pair)).length) / (left.length + right.length);
}

function checkType(type: MessageType, kind: MessageKind | undefined): void {
  checkClass(type);
  if (kind !== undefined) checkKind(type, kind);
}

/** @throws InvalidMessageError for a type that is marked as one of another kind */
export function checkKind(type: MessageType, kind: MessageKind): void {
  const marked = kindOf(type);
  if (marked !== undefined && marked !== kind)
    throw new InvalidMessageError(
      `${nameOf(type)} is marked as a ${marked}; it belongs on a ${marked} bus.`,
      {
        messageType: nameOf(type),
      },
    );
}
