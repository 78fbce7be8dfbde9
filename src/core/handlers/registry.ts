import { Subscription, type Observable } from "rxjs";
import type { HandlerContext } from "../delivery/delivery.js";
import {
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  InvalidHandlerError,
  InvalidMessageError,
} from "../errors.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { checkClass, kindOf, nameOf, typeOf, type MessageKind, type MessageType } from "../messages/message.js";
import { consume, isStream } from "../delivery/consume-stream.js";
import { isThenable } from "../util/thenable.js";

/** A function of the message and its context. Async functions and Observables are awaited; generators are refused. */
export type HandlerFunction<M, R> = (message: M, context: HandlerContext<M>) => R;

/** A function, or an object with a `handle` method, which is looked up at each message and called on the object. */
export type Handler<M = never, R = unknown> =
  HandlerFunction<M, R> | { handle(message: M, context: HandlerContext<M>): R };

/** What a query handler is registered with to keep its watchers up to date. */
export interface RefreshOptions<Q = object, E = unknown> {
  /** Whatever it emits, watched queries of the type are asked again. */
  readonly refreshOn?: Observable<E>;
  /** Whether an emission concerns a query. @defaultValue every one does */
  readonly affects?: (emission: E, query: Q) => boolean;
}

/** A registered handler, ready to run. */
export interface Registration {
  /** As it was given to `register`. */
  readonly handler: unknown;
  readonly name: string;
  /** When the results of a query change. */
  readonly refresh?: RefreshOptions<never, never>;
  /** A function, whichever form the handler has. */
  readonly call: HandlerFunction<never, unknown>;
}

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
  // Replaced, never changed, so that who iterates keeps what there was when it began.
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

  /** The handler of a type, as it was registered; for events the first. @throws HandlerNotFoundError */
  get<M extends object>(type: MessageType<M>): Handler<M> {
    const [first] = this.#registrations.get(type) ?? [];
    if (first === undefined) throw this.notFound(type);
    return first.handler as Handler<M>;
  }

  has(type: MessageType): boolean {
    return this.#registrations.has(type);
  }

  /** Forgets all handlers; messages in flight keep theirs. */
  clear(): void {
    this.#registrations.clear();
  }

  /** The registered types, in order of registration. */
  types(): readonly MessageType[] {
    return [...this.#registrations.keys()] as MessageType[];
  }

  get size(): number {
    return this.#registrations.size;
  }

  /** @internal A bus takes the registry for its kind: a query bus must not run command handlers. */
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

  /** @internal Tells of each registration; the returned function ends that. */
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
    // The cheap look first. An own field of that name is no class that anybody registered, so it misses.
    return this.#registrations.get(message.constructor) ?? this.#registrations.get(typeOf(message));
  }

  /** @internal All registrations, for `describe()`. */
  entries(): Iterable<[MessageType, readonly Registration[]]> {
    return this.#registrations.entries() as Iterable<[MessageType, readonly Registration[]]>;
  }

  /** @internal An error that names what the caller may have meant. */
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

/** The share of neighbouring letter pairs that two names do not have in common: 0 for equal ones, 1 for strangers. Dice's coefficient. */
function distance(a: string, b: string): number {
  // Names from outside may be of any length.
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

/** Calls a handler. Returns a value, a promise, or a stream under `ask$`; or throws. */
export function callHandler({ call }: Registration, delivery: LiveDelivery): unknown {
  const result = call(delivery.message as never, delivery as LiveDelivery<never>);
  // Whatever looks at it from here on may count on a promise: thenables may run again at each look.
  if (result instanceof Promise) return result;
  if (isThenable(result)) return Promise.resolve(result);
  return isStream(result) && !delivery.streaming ? consume(result, delivery, delivery.take) : result;
}

/** @internal `what` is for the errors. @throws InvalidHandlerError */
export function registrationOf(what: string, handler: Handler, messageType?: string): Registration {
  const call = checkedHandler(what, handler, messageType);
  const { name } = typeof handler === "function" ? handler : (handler.constructor ?? {});
  return { handler, name: name || "(anonymous)", call };
}

function checkedHandler(
  what: string,
  handler: Handler,
  messageType?: string,
): HandlerFunction<never, unknown> {
  const refuse = (problem: string): never => {
    throw new InvalidHandlerError(`${what} ${problem}.`, { messageType });
  };
  if (typeof handler !== "function") {
    if (typeof handler !== "object" || handler === null || typeof handler.handle !== "function") {
      refuse(
        `is ${handler === null ? "null" : `a value of type ${typeof handler}`}; pass a function or an object with a handle method`,
      );
    }
    // eslint-disable-next-line @typescript-eslint/unbound-method -- looked at, not called
    refuseGenerator(handler.handle, refuse);
    return (message, context) => handler.handle(message, context);
  }
  refuseGenerator(handler, refuse);
  if (/^class\b/.test(Function.prototype.toString.call(handler)))
    refuse("is a class; pass an instance with a handle method");
  return handler;
}

function refuseGenerator(fn: unknown, refuse: (problem: string) => never): void {
  // Calling a generator function runs nothing of it: the handler would silently do nothing.
  if (Object.prototype.toString.call(fn).endsWith("GeneratorFunction]")) {
    refuse("is a generator function; return an Observable or an async iterable instead");
  }
}
