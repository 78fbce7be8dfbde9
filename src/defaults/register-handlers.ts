import { Subscription } from "rxjs";
import type { Bus } from "../core/bus/bus.js";
import type { CommandBus } from "../buses/command-bus.js";
import type { EventBus } from "../buses/event-bus.js";
import type { QueryBus } from "../buses/query-bus.js";
import {
  anObject,
  check,
  checkOption,
  checkOptions,
  required,
  type Check,
  type Checks,
} from "../core/checks.js";
import { InvalidHandlerError } from "../core/errors.js";
import type { HandlerFunction } from "../core/handlers/handler.js";
import { nameOf, typeOf, type MessageKind, type MessageType } from "../core/messages/message.js";
import { defaultCommandBus, defaultEventBus, defaultQueryBus } from "./default-buses.js";
import type { HandlersOf } from "./handlers-of.js";
import { marksOf, type Mark } from "./marks.js";

/** The buses that {@link registerHandlers} registers on, each with the type of its local context. */
export interface HandlerBuses<
  Commands extends object = object,
  Queries extends object = object,
  Events extends object = object,
> {
  /** @defaultValue the default command bus */
  readonly commandBus?: CommandBus<Commands> | undefined;
  /** @defaultValue the default query bus */
  readonly queryBus?: QueryBus<unknown, Queries> | undefined;
  /** @defaultValue the default event bus */
  readonly eventBus?: EventBus<Events> | undefined;
}

const aBus = (name: string, kind: MessageKind): Check =>
  check(name, (value) => (value as Partial<Bus> | null)?.engine?.kind === kind);
const BUSES: Checks<HandlerBuses> = {
  commandBus: aBus("a CommandBus", "command"),
  queryBus: aBus("a QueryBus", "query"),
  eventBus: aBus("an EventBus", "event"),
};

/**
 * Registers the methods of an object that `@command(Type)`, `@query(Type)` and `@event(Type)` mark, those of base
 * classes first. An override takes the place of the method that it overrides. Unsubscribing unregisters all of them.
 *
 * Call it when the object is complete: after `new`, in a lifecycle hook of a framework, or at the end of the
 * constructor of a class that is not extended.
 *
 * Guarantees: all methods are registered, or none. The compiler refuses an object with a method that reads another
 * `context.local` than the bus of its message has.
 *
 * @throws InvalidHandlerError if the object has no marked method, or a marked method is not a function any more
 * @throws HandlerAlreadyRegisteredError if a command or query type has a handler
 * @throws InvalidOptionsError for a wrong bus
 * @example
 * class Users {
 *   @command(CreateUser)
 *   create({ userId, email }: CreateUser): void { … }
 *
 *   @query(GetUser)
 *   find({ userId }: GetUser): User | undefined { … }
 * }
 * const registration = registerHandlers(new Users(), { commandBus, queryBus });
 */
export function registerHandlers<
  Messages extends object,
  Contexts extends object,
  Commands extends object = object,
  Queries extends object = object,
  Events extends object = object,
>(
  instance: HandlersOf<Messages, Contexts, Commands, Queries, Events>,
  buses?: HandlerBuses<Commands, Queries, Events>,
): Subscription;
export function registerHandlers(instance: object, buses: HandlerBuses = {}): Subscription {
  checkOption("registerHandlers()", "instance", instance, required(anObject));
  checkOptions<HandlerBuses>("registerHandlers()", buses, BUSES);
  const owner = nameOf(typeOf(instance));
  const marks = marksOf(instance);
  if (marks.length === 0)
    throw new InvalidHandlerError(
      `registerHandlers() found no method of ${owner} that is marked with @command(Type), @query(Type) ` +
        "or @event(Type).",
    );
  const { commandBus = defaultCommandBus, queryBus = defaultQueryBus, eventBus = defaultEventBus } = buses;
  const registered = new Subscription();
  try {
    for (const mark of marks) {
      const bus = { command: commandBus, query: queryBus, event: eventBus }[mark.kind];
      registered.add(
        (bus as CommandBus).register(mark.type as MessageType<never>, handlerOf(mark, instance, owner)),
      );
    }
  } catch (error) {
    registered.unsubscribe();
    throw error;
  }
  return registered;
}

/** Returns the method, bound, under a name that `describe()` can show. */
function handlerOf(mark: Mark, instance: object, owner: string): HandlerFunction<never, unknown> {
  const name = `${owner}.${String(mark.name)}`;
  const method = mark.method(instance);
  if (typeof method !== "function")
    throw new InvalidHandlerError(
      `${name} is marked with @${mark.kind}(${nameOf(mark.type)}), but is not a method; ` +
        "an object has its own field of that name.",
    );
  const bound = method.bind(instance) as HandlerFunction<never, unknown>;
  return Object.defineProperty(bound, "name", { value: name });
}
