// The local context through decorators: a method says which one it reads, and its bus has to have it.

import {
  command,
  CommandBus,
  event,
  EventBus,
  query,
  type QueryBus,
  registerHandlers,
  type HandlerContext,
} from "cqrx";
import { CreateUser, GetUserEmail, type Unmarked, UserCreated } from "./messages.js";

interface Session {
  readonly user: { readonly id: string };
}
interface Tenant {
  readonly tenant: string;
}

declare const untyped: CommandBus;
declare const commandBus: CommandBus<Session>;
declare const queryBus: QueryBus<unknown, Session>;
declare const eventBus: EventBus<Tenant>;

class Users {
  readonly #users = new Map<string, string>();
  protected readonly label = "users";

  constructor(
    private readonly commands: CommandBus<Session>,
    private readonly queries: QueryBus<unknown, Session>,
  ) {}

  @command(CreateUser)
  create({ userId, email }: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
    this.#users.set(userId, local?.user.id ?? email);
  }

  @query(GetUserEmail)
  email({ userId }: GetUserEmail): string | null {
    return this.#users.get(userId) ?? null;
  }

  @event(UserCreated)
  greet(_: UserCreated, { local }: HandlerContext<UserCreated, Tenant>): void {
    void local?.tenant;
  }

  rename(userId: string, email: string): void {
    this.#users.set(userId, email);
  }

  onModuleInit(): void {
    registerHandlers(this, { commandBus: this.commands, queryBus: this.queries, eventBus });
  }

  tooEarly(): void {
    // @ts-expect-error the bus has no session
    registerHandlers(this, { commandBus: untyped, queryBus: this.queries, eventBus });
  }
}

class Store {
  find(_: GetUserEmail): null {
    return null;
  }
}

export function registered(): void {
  const users = new Users(commandBus, queryBus);
  registerHandlers(users, { commandBus, queryBus, eventBus });
  registerHandlers(users, { commandBus: new CommandBus<Session & Tenant>(), eventBus });
  // @ts-expect-error the command bus has no session
  registerHandlers(users, { commandBus: untyped, queryBus, eventBus });
  // @ts-expect-error the default command bus has no session
  registerHandlers(users, { queryBus, eventBus });
  // @ts-expect-error the event bus has no tenant
  registerHandlers(users, { commandBus, queryBus, eventBus: new EventBus<Session>() });
  // @ts-expect-error nor have the default buses
  registerHandlers(users);
  // Other buses than that of the message do not matter.
  registerHandlers(users, { commandBus, eventBus });
  registerHandlers(users as object, { commandBus: untyped });
  const either = users as Users | Store;
  registerHandlers(either, { commandBus, eventBus });
  // @ts-expect-error one of them wants a session
  registerHandlers(either, { commandBus: untyped, eventBus });
}

/** A message without a marker may come over each bus that is given. */
export function unmarked(): void {
  class Texts {
    read({ text }: Unmarked, { local }: Pick<HandlerContext<Unmarked, Session>, "local">): string {
      return `${text} of ${local?.user.id}`;
    }
  }
  registerHandlers(new Texts(), { commandBus, eventBus });
  registerHandlers(new Texts(), { queryBus });
  // @ts-expect-error none of the buses has a session
  registerHandlers(new Texts(), { commandBus: untyped, eventBus });
}

export function generic<T extends object>(): void {
  class Store {
    constructor(private readonly items: Map<string, T>) {
      registerHandlers(this, { commandBus });
    }

    @command(CreateUser)
    create({ userId }: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
      if (local !== undefined) this.items.delete(userId);
    }

    all(item: T, _: HandlerContext): T {
      return item;
    }
  }
  class Kept<Item> extends Store {
    constructor(readonly item: Item) {
      super(new Map());
      registerHandlers(this, { commandBus });
      // @ts-expect-error the bus has no session
      registerHandlers(this, { commandBus: untyped });
    }
  }
  void Kept;
}

export function withBus(): void {
  class Bound {
    @command(CreateUser, commandBus)
    create(_: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
      void local?.user;
    }

    @query(GetUserEmail, queryBus)
    email(_: GetUserEmail, { local }: HandlerContext<GetUserEmail, Session>): string | null {
      return local?.user.id ?? null;
    }

    // @ts-expect-error the bus has another context
    @event(UserCreated, eventBus)
    greet(_: UserCreated, { local }: HandlerContext<UserCreated, Session>): void {
      void local?.user;
    }

    // @ts-expect-error the bus has no session
    @command(CreateUser, untyped)
    other(_: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
      void local?.user;
    }

    // @ts-expect-error a primitive is not a context
    @command(CreateUser)
    text(_: CreateUser, { local }: { local: string }): void {
      void local;
    }
  }
  void Bound;

  @command(CreateUser, commandBus)
  class Handler {
    handle(_: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
      void local?.user;
    }
  }

  // @ts-expect-error the default bus has no session
  @command(CreateUser)
  class OnDefaultBus {
    handle(_: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
      void local?.user;
    }
  }

  const wrapped = command(CreateUser, commandBus)((_, { local }) => local?.user.id);
  void [Handler, OnDefaultBus, wrapped];
  // @ts-expect-error the default bus has no session
  command(CreateUser)((_: CreateUser, { local }: HandlerContext<CreateUser, Session>) => local?.user);
}
