// The arguments and results of dispatch, ask and publish.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import { CommandBus, defaultQueryBus, Envelope, EventBus, QueryBus, type HandlerContext } from "cqrx";
import type { Observable } from "rxjs";
import { holds, type Equal } from "./equal.js";
import { CreateUser, GetUserEmail, ListUsers, Unmarked, UserCreated } from "./messages.js";

declare const commandBus: CommandBus;
declare const queryBus: QueryBus;
declare const eventBus: EventBus;
declare const context: HandlerContext<CreateUser>;

export function results(): void {
  const dispatched = commandBus.dispatch(new CreateUser("u1", "a@b.com"));
  holds<Equal<typeof dispatched, Promise<void>>>();
  const dispatched$ = commandBus.dispatch$(new CreateUser("u1", "a@b.com"));
  holds<Equal<typeof dispatched$, Observable<void>>>();
  const published = eventBus.publish(new UserCreated("u1"));
  holds<Equal<typeof published, Promise<void>>>();

  const email = queryBus.ask(new GetUserEmail("u1"));
  holds<Equal<typeof email, Promise<string | null>>>();
  const users = queryBus.ask(new ListUsers(1));
  holds<Equal<typeof users, Promise<readonly string[]>>>();
  const email$ = queryBus.ask$(new GetUserEmail("u1"));
  holds<Equal<typeof email$, Observable<string | null>>>();
  const fromEnvelope = queryBus.ask(Envelope.of(new GetUserEmail("u1")));
  holds<Equal<typeof fromEnvelope, Promise<string | null>>>();
  const fromDefault = defaultQueryBus.ask(new GetUserEmail("u1"));
  holds<Equal<typeof fromDefault, Promise<string | null>>>();
}

export function unmarkedQueries(): void {
  const unknown = queryBus.ask(new Unmarked("x"));
  holds<Equal<typeof unknown, Promise<unknown>>>();

  const typed = new QueryBus<string | null>();
  const text = typed.ask(new Unmarked("x"));
  holds<Equal<typeof text, Promise<string | null>>>();
  const marked = typed.ask(new ListUsers(1));
  holds<Equal<typeof marked, Promise<readonly string[]>>>();
  typed.register(Unmarked, ({ text }) => (text === "" ? null : text));
  // @ts-expect-error the bus says that unmarked queries give text or null
  typed.register(Unmarked, () => 42);
}

export function wrongBus(): void {
  // @ts-expect-error a query is asked
  commandBus.dispatch(new GetUserEmail("u1"));
  // @ts-expect-error a query is asked
  commandBus.dispatch$(new GetUserEmail("u1"));
  // @ts-expect-error an event is published
  commandBus.dispatch(new UserCreated("u1"));
  // @ts-expect-error a command is dispatched
  queryBus.ask(new CreateUser("u1", "a@b.com"));
  // @ts-expect-error an event is published
  queryBus.ask$(new UserCreated("u1"));
  // @ts-expect-error a command is dispatched
  eventBus.publish(new CreateUser("u1", "a@b.com"));
  // @ts-expect-error a query is asked
  eventBus.publish(new GetUserEmail("u1"));
  // @ts-expect-error an envelope of a query is asked
  commandBus.dispatch(Envelope.of(new GetUserEmail("u1")));
  // @ts-expect-error a query's handler belongs to a query bus
  commandBus.register(GetUserEmail, () => {});
  // @ts-expect-error a command's handler belongs to a command bus
  queryBus.register(CreateUser, () => {});
  // @ts-expect-error a query's deliveries come from a query bus
  commandBus.deliveries(GetUserEmail);
  // @ts-expect-error a command bus does not ask
  void commandBus.ask;
  // @ts-expect-error a query bus does not dispatch
  void queryBus.dispatch;
}

export function noMessage(): void {
  // @ts-expect-error null is not a message
  commandBus.dispatch(null);
  // @ts-expect-error undefined is not a message
  queryBus.ask(undefined);
  // @ts-expect-error a message is needed
  commandBus.dispatch();
  // @ts-expect-error a text is not a message
  commandBus.dispatch("CreateUser");
  // @ts-expect-error a name is not a message type
  commandBus.register("CreateUser", () => {});
  // @ts-expect-error an instance is not a message type
  commandBus.register(new CreateUser("u1", "a@b.com"), () => {});
}

export function options(): void {
  commandBus.dispatch(new Unmarked("x"), { causedBy: context });
  commandBus.dispatch(new Unmarked("x"), { causedBy: context.envelope });
  commandBus.dispatch(new Unmarked("x"), { headers: { tenant: "t1" }, signal: context.signal });
  commandBus.dispatch(new Unmarked("x"), { signal: undefined, causedBy: undefined, headers: undefined });
  eventBus.register(UserCreated, ({ userId }, context) =>
    commandBus.dispatch(new CreateUser(userId, ""), { causedBy: context }),
  );
  // @ts-expect-error header values are text
  commandBus.dispatch(new Unmarked("x"), { headers: { retries: 3 } });
  // @ts-expect-error the option does not exist
  commandBus.dispatch(new Unmarked("x"), { timeout: 100 });
  // @ts-expect-error the option does not exist
  void new CommandBus({ middlewares: [] });
  // @ts-expect-error only event buses have a strategy
  void new CommandBus({ strategy: "parallel" });
  // @ts-expect-error the strategy does not exist
  void new EventBus({ strategy: "random" });
}

export async function disposal(): Promise<void> {
  await using bus = new CommandBus();
  await bus.dispatch(new Unmarked("x"));
}
