// A handler is checked against its message.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import {
  command,
  defaultCommandBus,
  query,
  registerHandlers,
  type CommandBus,
  type Envelope,
  type Delivery,
  type EventBus,
  type HandlerRegistry,
  type QueryBus,
} from "cqrx";
import { bufferTime, concatMap, of, type Observable, type Subscription } from "rxjs";
import { holds, type Equal } from "./equal.js";
import { CreateUser, GetUserEmail, ListUsers, UserCreated, type Unmarked } from "./messages.js";

declare const commandBus: CommandBus;
declare const queryBus: QueryBus;
declare const eventBus: EventBus;
declare const registry: HandlerRegistry;
declare const typed: QueryBus<string>;

export function inference(): void {
  const registration = commandBus.register(CreateUser, (message, context) => {
    holds<Equal<typeof message, CreateUser>>();
    holds<Equal<typeof context.envelope, Envelope<CreateUser>>>();
    holds<Equal<typeof context.signal, AbortSignal>>();
  });
  holds<Equal<typeof registration, Subscription>>();
  queryBus.register(GetUserEmail, (message, { envelope }) => {
    holds<Equal<typeof message, GetUserEmail>>();
    holds<Equal<typeof envelope.payload, GetUserEmail>>();
    return null;
  });
  eventBus.register(UserCreated, ({ userId }) => void userId.toUpperCase());
}

export function whatCommandsMayReturn(): void {
  commandBus.register(CreateUser, () => {});
  commandBus.register(CreateUser, async () => {});
  commandBus.register(CreateUser, () => of(1, 2));
  commandBus.register(CreateUser, ({ userId }) => new Map().set(userId, 1));
  commandBus.register(CreateUser, { handle: ({ email }) => email });
}

export function whatQueriesMayReturn(): void {
  async function* pages(): AsyncGenerator<string[]> {
    yield [];
  }
  queryBus.register(GetUserEmail, () => null);
  queryBus.register(GetUserEmail, ({ userId }) => (userId === "" ? null : userId));
  queryBus.register(GetUserEmail, async ({ userId }) => userId);
  queryBus.register(GetUserEmail, ({ userId }) => of(userId, null));
  queryBus.register(GetUserEmail, { handle: ({ userId }) => userId });
  queryBus.register(ListUsers, () => pages());
  queryBus.register(ListUsers, ({ page }) => [String(page)]);
  class Emails {
    handle(message: GetUserEmail): string {
      return message.userId;
    }
  }
  queryBus.register(GetUserEmail, new Emails());

  // @ts-expect-error a number is not the result of the query
  queryBus.register(GetUserEmail, () => 42);
  // @ts-expect-error nor is a promise of one
  queryBus.register(GetUserEmail, async () => 42);
  // @ts-expect-error nor a stream of them
  queryBus.register(GetUserEmail, () => of(42));
  // @ts-expect-error nor nothing
  queryBus.register(GetUserEmail, () => {});
  // @ts-expect-error nor an object whose handle gives one
  queryBus.register(GetUserEmail, { handle: () => 42 });
}

export function wrongHandlers(): void {
  // @ts-expect-error the handler is for another message
  commandBus.register(CreateUser, (message: Unmarked) => message.text);
  // @ts-expect-error the handler is for another message
  commandBus.register(CreateUser, { handle: (message: Unmarked) => message.text });
  // @ts-expect-error the message has no such field
  commandBus.register(CreateUser, ({ name }) => name);
  // @ts-expect-error not a handler
  commandBus.register(CreateUser, "handler");
  // @ts-expect-error an object without handle is not a handler
  commandBus.register(CreateUser, { run: () => {} });
  // @ts-expect-error a handler is needed
  commandBus.register(CreateUser);
  // @ts-expect-error a handler is called with a message and a context, no more
  commandBus.register(CreateUser, (_message: CreateUser, _context: object, third: number) => third);
  registry.register(CreateUser, ({ userId }) => userId);
  // @ts-expect-error the handler is for another message
  registry.register(CreateUser, (message: Unmarked) => message.text);
}

export function streams(): void {
  const deliveries$ = commandBus.deliveries(CreateUser);
  holds<Equal<typeof deliveries$, Observable<Delivery<CreateUser, void>>>>();
  deliveries$.pipe(
    bufferTime(100),
    concatMap(async (batch) => {
      for (const { message, resolve } of batch) resolve(void message.email);
    }),
  );
  queryBus.deliveries(GetUserEmail).subscribe((delivery) => {
    holds<Equal<typeof delivery, Delivery<GetUserEmail, string | null>>>();
    delivery.resolve(null);
    // @ts-expect-error not the result of the query
    delivery.resolve(42);
    // @ts-expect-error a message is read only
    delivery.message = new GetUserEmail("u2");
  });
}

export function decorators(): void {
  const handler = command(CreateUser)(({ email }) => email.length);
  holds<Equal<ReturnType<typeof handler>, number>>();
  query(GetUserEmail)(({ userId }) => userId);
  // @ts-expect-error not the result of the query
  query(GetUserEmail)(() => 42);
  // @ts-expect-error a query is not a command
  command(GetUserEmail);
  // @ts-expect-error not a query bus
  query(GetUserEmail, defaultCommandBus);

  class Users {
    @command(CreateUser)
    create({ userId }: CreateUser): void {
      void userId;
    }

    // @ts-expect-error the method is for another message
    @command(CreateUser)
    other({ text }: Unmarked): void {
      void text;
    }

    // @ts-expect-error the method gives something else than the query
    @query(GetUserEmail)
    email(_query: GetUserEmail): number {
      return 42;
    }

    // @ts-expect-error the argument list is missing
    @command
    third(): void {}
  }
  void Users;

  @command(CreateUser)
  class CreateUserHandler {
    handle({ email }: CreateUser): void {
      void email;
    }
  }
  void CreateUserHandler;

  // @ts-expect-error the class has no handle method
  @command(CreateUser)
  class NoHandler {}
  void NoHandler;

  const registration = registerHandlers(new Users(), { commandBus, queryBus: typed });
  holds<Equal<typeof registration, Subscription>>();
  registerHandlers(new Users());
  // @ts-expect-error not a command bus
  registerHandlers(new Users(), { commandBus: eventBus });
  // @ts-expect-error an object is needed
  registerHandlers("Users");
}
