// command(), query() and event() register handlers: around a function, on a method, on a class.
// Run: npm run example 12
// Look at: without a bus they register on the default buses; a method is registered when its object is constructed.
import { command, CommandBus, defaultCommandBus, defaultQueryBus, Query, query } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class CreateUser {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }
}

class DeleteUser {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

class CountUsers extends Query<number> {}

export async function main(print: Print): Promise<void> {
  const users = new Map<string, string>();

  // Around a function, on the default bus. The function comes back unchanged, for tests and other callers.
  const createUser = command(CreateUser)(({ userId, email }: CreateUser) => void users.set(userId, email));

  // On a class, which is constructed once.
  @query(CountUsers)
  class UserCounter {
    handle(): number {
      return users.size;
    }
  }

  await defaultCommandBus.dispatch(new CreateUser("u1", "ada@example.com"));
  createUser(new CreateUser("u2", "grace@example.com"));
  print(`users: ${await defaultQueryBus.ask(new CountUsers())}, counted by a ${UserCounter.name}`);

  // On methods, and on an explicit bus, because a default bus couples all modules that import it.
  const commandBus = new CommandBus({ name: "userCommands" });
  class Users {
    readonly #deleted: string[] = [];

    @command(DeleteUser, commandBus)
    delete({ userId }: DeleteUser): void {
      users.delete(userId);
      this.#deleted.push(userId);
    }

    get deleted(): string {
      return this.#deleted.join(", ");
    }
  }

  const { deleted: before } = new Users();
  print(`deleted so far: ${before || "none"}`);
  await commandBus.dispatch(new DeleteUser("u1"));
  print(`users: ${users.size}`);
  print(
    commandBus
      .describe()
      .handlers.map(({ messageType }) => messageType)
      .join(),
  );

  for (const bus of [defaultCommandBus, defaultQueryBus]) bus.reset();
}

runWhenStarted("12-decorators.ts", main);
