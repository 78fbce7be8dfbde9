import type { Handler, HandlerFunction } from "../core/handlers/handler.js";
import type { Bus } from "../core/bus/bus.js";
import type { CommandBus } from "../buses/command-bus.js";
import { defaultCommandBus, defaultEventBus, defaultQueryBus } from "./default-buses.js";
import { InvalidHandlerError } from "../core/errors.js";
import type { EventBus } from "../buses/event-bus.js";
import type { MessageKind, MessageOf, MessageType, ResultOf } from "../core/messages/message.js";
import type { QueryResult } from "../buses/query-bus.js";
import type { QueryBus } from "../buses/query-bus.js";

/**
 * The result of `command(Type)`, `query(Type)` and `event(Type)`: a wrapper for functions, and a TC39
 * decorator for methods and classes.
 */
export interface HandlerDecorator<M, R> {
  /** Registers the function and returns it unchanged. */
  <F extends HandlerFunction<M, R>>(handler: F): F;
  /** Registers the method, bound to the instance, each time an instance is constructed. */
  <This, F extends HandlerFunction<M, R>>(method: F, context: ClassMethodDecoratorContext<This, F>): void;
  /** Constructs the class, which takes no arguments and has a `handle` method, and registers the instance. */
  <C extends new () => { handle: HandlerFunction<M, R> }>(type: C, context: ClassDecoratorContext<C>): void;
}

/**
 * Registers a command handler, on the default bus unless another is given.
 *
 * @example
 * const createUser = command(CreateUser)(({ userId, email }) => void users.set(userId, email));
 *
 * @example
 * class Users {
 *   @command(CreateUser, commandBus)
 *   create({ userId, email }: CreateUser): void { this.#users.set(userId, email); }
 * }
 */
export function command<C extends MessageOf<"command">>(
  type: MessageType<C>,
  bus: CommandBus = defaultCommandBus,
): HandlerDecorator<C, unknown> {
  return decorator("command", type, bus, (handler) => bus.register(type, handler));
}

/** Registers a query handler, on the default bus unless another is given. Used like {@link command}. */
export function query<Q extends MessageOf<"query">, Unmarked = unknown>(
  type: MessageType<Q>,
  bus: QueryBus<Unmarked> = defaultQueryBus,
): HandlerDecorator<Q, QueryResult<ResultOf<Q, Unmarked>>> {
  return decorator("query", type, bus, (handler) => bus.register(type, handler));
}

/** Adds an event handler, on the default bus unless another is given. Used like {@link command}. */
export function event<E extends MessageOf<"event">>(
  type: MessageType<E>,
  bus: EventBus = defaultEventBus,
): HandlerDecorator<E, unknown> {
  return decorator("event", type, bus, (handler) => bus.register(type, handler));
}

function decorator<M extends object, R>(
  kind: MessageKind,
  type: MessageType<M>,
  bus: Bus,
  register: (handler: Handler<M, R>) => void,
): HandlerDecorator<M, R> {
  const fail = (problem: string): never => {
    throw new InvalidHandlerError(`@${kind} ${problem}.`);
  };
  // A decorator that is written without an argument list receives the decorated value as the type.
  if (typeof type !== "function" || (bus as Partial<Bus> | null)?.engine?.kind !== kind) {
    fail(
      `takes a message class and the bus for it, of kind ${kind}: @${kind}(SomeType) or @${kind}(SomeType, bus)`,
    );
  }

  // This is not an arrow function: a legacy class decorator without an argument list replaces the class with
  // it, which shows at construction.
  const decorate = function (target: unknown, context?: DecoratorContext | string | symbol): unknown {
    if (new.target !== undefined)
      fail(
        `takes a message class: @${kind}(SomeType); and it is a TC39 decorator, without experimentalDecorators`,
      );
    if (typeof context === "string" || typeof context === "symbol")
      return fail("is a TC39 decorator; remove experimentalDecorators from tsconfig.json");
    if (context === undefined) {
      if (/^class\b/.test(String(target)))
        fail(
          "on a class is a TC39 decorator; remove experimentalDecorators from tsconfig.json, or register an instance",
        );
      register(target as Handler<M, R>);
      return target;
    }
    if (context.kind === "method") {
      markAsHandler(target as object, type);
      context.addInitializer(function (this: unknown) {
        const method = context.access.get(this) as HandlerFunction<M, R>;
        // An override with a decorator of its own is registered by that; an override without one is registered here.
        if (method === target || !isHandler(method, type)) register(method.bind(this));
      });
    } else if (context.kind === "class") {
      const { length, prototype } = target as { length: number; prototype: { handle?: unknown } };
      if (typeof prototype.handle !== "function" || length > 0)
        fail(
          "needs a class with a handle method and a constructor without arguments; otherwise register an instance",
        );
      context.addInitializer(function (this: unknown) {
        register(new (this as new () => { handle: HandlerFunction<M, R> })());
      });
    } else {
      fail(`decorates methods and classes, not a ${context.kind}`);
    }
    return undefined;
  };
  return decorate as HandlerDecorator<M, R>;
}

/** The message types that each decorated method handles. */
const handled = new WeakMap<object, Set<object>>();

function markAsHandler(method: object, type: object): void {
  const types = handled.get(method) ?? new Set();
  handled.set(method, types.add(type));
}

function isHandler(method: object, type: object): boolean {
  return handled.get(method)?.has(type) === true;
}
