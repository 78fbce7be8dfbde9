// The local context: typed once per bus.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import {
  CommandBus,
  defaultCommandBus,
  EventBus,
  QueryBus,
  saga,
  type Delivery,
  type HandlerContext,
  type LiveQuery,
} from "cqrx";
import { authorization } from "cqrx/middleware";
import type { Observable } from "rxjs";
import { holds, type Equal } from "./equal.js";
import { CreateUser, GetUserEmail, Unmarked, UserCreated } from "./messages.js";

interface Session {
  readonly user: { readonly id: string };
}
const context: Session = { user: { id: "u1" } };
const command = new CreateUser("u1", "a@b.com");

export function typed(): void {
  const commandBus = new CommandBus<Session>();
  commandBus.register(CreateUser, (_, context) => {
    holds<Equal<typeof context, HandlerContext<CreateUser, Session>>>();
    holds<Equal<typeof context.local, Session | undefined>>();
    void commandBus.dispatch(new Unmarked("x"), { causedBy: context });
  });
  commandBus.register(Unmarked, {
    handle: (_: Unmarked, { local }: HandlerContext<Unmarked, Session>) => local?.user.id,
  });
  commandBus.dispatch(command, { context });
  commandBus.dispatch(command);
  commandBus.dispatch$(command, { context: undefined });
  commandBus.enqueue(command, { context, delayMs: 5 });
  // @ts-expect-error another shape
  commandBus.dispatch(command, { context: { tenant: "t1" } });
  // @ts-expect-error another shape
  commandBus.enqueue(command, { context: { tenant: "t1" } });
  // @ts-expect-error the context is another
  commandBus.register(CreateUser, (_, { local }: HandlerContext<CreateUser, { tenant: string }>) => local);
  const deliveries$ = commandBus.deliveries(CreateUser);
  holds<Equal<typeof deliveries$, Observable<Delivery<CreateUser, void, Session>>>>();
}

export function queriesAndEvents(): void {
  const queryBus = new QueryBus<string, Session>();
  queryBus.register(Unmarked, (_, { local }) => local?.user.id ?? "");
  const answer = queryBus.ask(new Unmarked("x"), { context });
  holds<Equal<typeof answer, Promise<string>>>();
  const live = queryBus.watch(new GetUserEmail("u1"), { context });
  holds<Equal<typeof live, LiveQuery<string | null>>>();
  queryBus.ask$(new GetUserEmail("u1"), { context });
  // @ts-expect-error another shape
  queryBus.watch(new GetUserEmail("u1"), { context: {} });
  const eventBus = new EventBus<Session>();
  eventBus.register(UserCreated, (_, { local }) => local?.user.id);
  eventBus.publish(new UserCreated("u1"), { context });
  eventBus.enqueue(new UserCreated("u1"), { context });
  // @ts-expect-error another shape
  eventBus.publish(new UserCreated("u1"), { context: { user: "u1" } });
}

/** Without a type, any object is a context, and code that knows nothing of it takes every bus. */
export function untyped(): void {
  const commandBus = new CommandBus();
  commandBus.dispatch(command, { context });
  commandBus.register(CreateUser, (_, { local }) => {
    holds<Equal<typeof local, object | undefined>>();
  });
  // @ts-expect-error a primitive is not a context
  commandBus.dispatch(command, { context: "u1" });
  // @ts-expect-error the bus knows no session
  commandBus.register(Unmarked, (_, { local }: HandlerContext<Unmarked, Session>) => local);
  const any: CommandBus = new CommandBus<Session>();
  const anyQuery: QueryBus = new QueryBus<unknown, Session>();
  saga(new EventBus<Session>(), new CommandBus<Session>(), () => null!);
  void [any, anyQuery, defaultCommandBus];
}

export function checks(): void {
  const isOwner = authorization((message: CreateUser, { local }: HandlerContext<CreateUser, Session>) => {
    return local?.user.id === message.userId;
  });
  const named = authorization<object, unknown, Session>((_, { local }) => local !== undefined);
  void new CommandBus<Session>({ middleware: [named] });
  void isOwner;
}
