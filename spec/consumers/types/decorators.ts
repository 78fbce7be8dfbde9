// Compiled, not run: the same code with decorators of TC39 and with experimentalDecorators.
import {
  Command,
  command,
  CommandBus,
  DomainEvent,
  event,
  Query,
  query,
  registerHandlers,
  type HandlerContext,
} from "cqrx";

export class CreateUser extends Command {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}
export class GetEmail extends Query<string | null> {}
export class UserCreated extends DomainEvent {
  readonly userId = "u1";
}

export class Users {
  readonly #created: string[] = [];

  constructor(readonly service: object) {}

  @command(CreateUser)
  create({ userId }: CreateUser): void {
    this.#created.push(userId);
  }

  @query(GetEmail)
  async email(_query: GetEmail): Promise<string | null> {
    return this.#created[0] ?? null;
  }

  @event(UserCreated)
  @command(CreateUser)
  both(message: CreateUser | UserCreated): void {
    this.#created.push(message.userId);
  }

  @command(CreateUser)
  unused(): void {}

  // @ts-expect-error the method is for another message
  @command(CreateUser)
  other(message: { text: string }): void {
    void message;
  }

  // @ts-expect-error the method gives something else than the query
  @query(GetEmail)
  wrong(_query: GetEmail): number {
    return 42;
  }
}

@command(CreateUser)
export class CreateUserHandler {
  handle({ userId }: CreateUser): void {
    void userId;
  }
}

// @ts-expect-error the class has no handle method
@command(CreateUser)
export class NoHandler {}

export const handler = command(CreateUser)(({ userId }) => userId.length);
export const registration: { unsubscribe(): void } = registerHandlers(new Users({}), {
  commandBus: new CommandBus(),
});

interface Session {
  readonly user: string;
}

export class Sessions {
  readonly #seen: string[] = [];

  constructor(private readonly commandBus: CommandBus<Session>) {}

  @command(CreateUser)
  create(_command: CreateUser, { local }: HandlerContext<CreateUser, Session>): void {
    this.#seen.push(local?.user ?? "");
  }

  onModuleInit(): void {
    registerHandlers(this, { commandBus: this.commandBus });
  }
}

registerHandlers(new Sessions(new CommandBus<Session>()), { commandBus: new CommandBus<Session>() });
// @ts-expect-error the bus has no session
registerHandlers(new Sessions(new CommandBus<Session>()), { commandBus: new CommandBus() });
