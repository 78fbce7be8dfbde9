import type { CommandBus } from "../buses/command-bus.js";
import type { EventBus } from "../buses/event-bus.js";
import type { QueryBus, QueryResult } from "../buses/query-bus.js";
import type { Bus } from "../core/bus/bus.js";
import { InvalidHandlerError } from "../core/errors.js";
import type { Handler, HandlerFunction } from "../core/handlers/handler.js";
import type { MessageKind, MessageOf, MessageType, ResultOf } from "../core/messages/message.js";
import { defaultCommandBus, defaultEventBus, defaultQueryBus } from "./default-buses.js";
import { markHandler, type Mark } from "./marks.js";

/**
 * The result of `command(Type)`, `query(Type)` and `event(Type)`: a decorator for methods and classes, as TC39 defines
 * them and as TypeScript's `experimentalDecorators` compiles them, and a wrapper for functions.
 *
 * @typeParam Local - the local context of the bus; `never` without a bus, where `registerHandlers` compares the methods
 * with the bus that it is given
 */
export interface HandlerDecorator<M, R, Local extends object = never> {
  /** Registers the function and returns it unchanged. */
  <F extends HandlerFunction<M, R, LocalOrDefault<Local>>>(handler: F): F;
  /**
   * Marks a method for `registerHandlers`; with a bus, registers it each time an instance is constructed. Constructs a
   * class, which takes no arguments and has a `handle` method, and registers the instance.
   */
  <T extends object>(
    target: T &
      (T extends AnyClass ? HandlerClass<M, R, LocalOrDefault<Local>> : HandlerFunction<M, R, Local>),
    ...context: T extends AnyClass
      ? [context?: ClassDecoratorContext]
      : [context: ClassMethodDecoratorContext]
  ): void;
  /** Marks a method for `registerHandlers`, under `experimentalDecorators`. */
  <F extends HandlerFunction<M, R, Local>>(
    prototype: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): void;
}

/** The default buses have no type of context. */
type LocalOrDefault<Local extends object> = [Local] extends [never] ? object : Local;
type AnyClass = abstract new (...args: never[]) => object;
type HandlerClass<M, R, Local extends object> = new () => { handle: HandlerFunction<M, R, Local> };

/**
 * Makes a command handler of a method, a class or a function.
 *
 * A method is marked, and {@link registerHandlers} registers it. A method `@command(Type, bus)` is registered on
 * that bus each time an instance is constructed, which `experimentalDecorators` cannot do. A class or function is
 * registered at once, on the default bus unless another is given.
 *
 * @throws InvalidHandlerError where it is applied to something else
 * @example
 * class Users {
 *   @command(CreateUser)
 *   create({ userId, email }: CreateUser): void { this.#users.set(userId, email); }
 * }
 * registerHandlers(new Users(), { commandBus });
 *
 * @example
 * const createUser = command(CreateUser)(({ userId, email }) => void users.set(userId, email));
 */
export function command<C extends MessageOf<"command">, Local extends object = never>(
  type: MessageType<C>,
  bus?: CommandBus<Local>,
): HandlerDecorator<C, unknown, Local> {
  return decorator("command", type, bus, defaultCommandBus);
}

/** Makes a query handler of a method, a class or a function. Used like {@link command}. */
export function query<Q extends MessageOf<"query">, Unmarked = unknown, Local extends object = never>(
  type: MessageType<Q>,
  bus?: QueryBus<Unmarked, Local>,
): HandlerDecorator<Q, QueryResult<ResultOf<Q, Unmarked>>, Local> {
  return decorator("query", type, bus, defaultQueryBus);
}

/** Makes an event handler of a method, a class or a function. Used like {@link command}. */
export function event<E extends MessageOf<"event">, Local extends object = never>(
  type: MessageType<E>,
  bus?: EventBus<Local>,
): HandlerDecorator<E, unknown, Local> {
  return decorator("event", type, bus, defaultEventBus);
}

function decorator<M extends object, R, Local extends object>(
  kind: MessageKind,
  type: MessageType<M>,
  bus: Bus | undefined,
  defaultBus: Bus,
): HandlerDecorator<M, R, Local> {
  const fail = (problem: string): never => {
    throw new InvalidHandlerError(`@${kind} ${problem}.`);
  };
  // A decorator that is written without an argument list receives the decorated value as the type.
  if (
    typeof type !== "function" ||
    (bus !== undefined && (bus as Partial<Bus> | null)?.engine?.kind !== kind)
  )
    fail(
      `takes a message class and the bus for it, of kind ${kind}: @${kind}(SomeType) or @${kind}(SomeType, bus)`,
    );
  const register = (handler: unknown): void =>
    void (bus ?? defaultBus).engine.registry.register(type, handler as Handler<M, R>);

  const decorateMethod = (method: object, context: ClassMethodDecoratorContext): void => {
    const { name, static: isStatic, private: isPrivate, access } = context;
    if (bus === undefined && isStatic) fail(STATIC);
    // Some compilers give the decorated method here, and not an override.
    const get: Mark["method"] = isPrivate ? (instance) => access.get(instance) : byName(name);
    const mark: Mark = { kind, type, name, isPrivate, method: get };
    if (bus !== undefined) markAsHandler(method, type);
    context.addInitializer(function (this: unknown) {
      if (bus === undefined) return markHandler(Object.getPrototypeOf(this) as object, mark);
      const current = get(this as object) as HandlerFunction<M, R>;
      // An override with a decorator of its own is registered by that; an override without one is registered here.
      if (current === method || !isHandler(current, type)) register(current.bind(this));
    });
  };

  const decorateLegacyMethod = (prototype: object, name: string | symbol, descriptor: unknown): void => {
    if (typeof (descriptor as PropertyDescriptor | undefined)?.value !== "function")
      fail("decorates methods and classes, not a field or an accessor");
    if (typeof prototype === "function") fail(STATIC);
    if (bus !== undefined)
      fail(
        "with a bus registers when an instance is constructed, which a decorator of experimentalDecorators " +
          `cannot see; write @${kind}(SomeType), and registerHandlers(instance, { ${kind}Bus })`,
      );
    markHandler(prototype, { kind, type, name, isPrivate: false, method: byName(name) });
  };

  const checkHandlerClass = ({ length, prototype }: DecoratedClass): void => {
    if (typeof prototype.handle !== "function" || length > 0)
      fail(
        "needs a class with a handle method and a constructor without arguments; otherwise mark the method " +
          "and call registerHandlers(instance)",
      );
  };

  // This is not an arrow function: a legacy class decorator without an argument list replaces the class with
  // it, which shows at construction.
  const decorate = function (
    target: object,
    context?: DecoratorContext | string | symbol,
    descriptor?: unknown,
  ): unknown {
    if (new.target !== undefined) return fail(`takes a message class: @${kind}(SomeType)`);
    if (typeof context === "string" || typeof context === "symbol")
      return decorateLegacyMethod(target, context, descriptor);
    if (context?.kind === "method") decorateMethod(target, context);
    else if (context?.kind === "class") {
      checkHandlerClass(target as DecoratedClass);
      context.addInitializer(() => register(new (target as DecoratedClass)()));
    } else if (context !== undefined) fail(`decorates methods and classes, not a ${context.kind}`);
    else if (isClass(target)) {
      checkHandlerClass(target);
      register(new target());
    } else {
      register(target);
      return target;
    }
    return undefined;
  };
  return decorate as HandlerDecorator<M, R, Local>;
}

const STATIC =
  "decorates methods of instances; a static method is a function that can be registered as it is";

const byName =
  (name: PropertyKey): Mark["method"] =>
  (instance) =>
    (instance as Record<PropertyKey, unknown>)[name];

interface DecoratedClass {
  new (): object;
  readonly length: number;
  readonly prototype: { readonly handle?: unknown };
}

/** Returns true for classes, also for those that a compiler has written as functions. */
function isClass(target: object): target is DecoratedClass {
  return (
    typeof target === "function" &&
    (/^class\b/.test(Function.prototype.toString.call(target)) ||
      typeof (target as DecoratedClass).prototype?.handle === "function")
  );
}

/** The message types that each method handles that was decorated with a bus. */
const handled = new WeakMap<object, Set<object>>();

function markAsHandler(method: object, type: object): void {
  const types = handled.get(method) ?? new Set();
  handled.set(method, types.add(type));
}

function isHandler(method: object, type: object): boolean {
  return handled.get(method)?.has(type) === true;
}
