import { Subscription } from "rxjs";
import { COPY, MADE_BY } from "../util/copy.js";
import { HandlerAlreadyRegisteredError, HandlerNotFoundError, InvalidHandlerError } from "../errors.js";
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
import { checkKind } from "./check-kind.js";
import type { Handler, RefreshOptions, Registration } from "./handler.js";
import { namesNear, pairsOf } from "./similar-names.js";

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
  /** The pairs of letters in each name, because an unknown message must not read 10,000 names. */
  readonly #pairs = new Map<MessageType, number>();
  readonly #listeners = new Set<() => void>();
  #kind: MessageKind | undefined;

  /**
   * @throws HandlerAlreadyRegisteredError for a second handler of a type, unless the registry belongs to event buses.
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
    this.#pairs.clear();
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
    checkClass(type);
    if (this.#kind !== undefined) checkKind(type, this.#kind, "register its handler");
    const before = this.#registrations.get(type);
    if (before !== undefined && (this.#kind ?? kindOf(type)) !== "event")
      throw new HandlerAlreadyRegisteredError(nameOf(type));
    this.#registrations.set(type, before === undefined ? [registration] : [...before, registration]);
    this.#order.set(registration, ++this.#registered);
    this.#forgetLookups();
    this.#pairs.set(type, pairsOf(nameOf(type)));
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
    else if (this.#registrations.delete(type)) this.#pairs.delete(type);
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
    return new HandlerNotFoundError(nameOf(type), ` ${this.#hint(type)}`);
  }

  #hint(type: MessageType | undefined): string {
    if (type === Object)
      return "A plain object, and a copy such as { ...message }, has no class: pass an instance.";
    const base = [...classesOf(type)].find((known) => this.has(known));
    if (base !== undefined)
      return `Its base class ${nameOf(base)} has one, but handlers are found by exact class.`;
    const name = nameOf(type);
    const near = namesNear(name, this.#pairs);
    if (name !== ANONYMOUS && near.includes(name))
      return "Another class of the same name has one: loaded twice?";
    return near.length === 0
      ? "Nothing is registered yet."
      : `Nearest registered: ${near.slice(0, 3).join(", ")}.`;
  }
}
