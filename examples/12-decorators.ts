// command(), query() and event() make handlers of methods, classes and functions.
// Run: npm run example 12
// Look at: a method is marked, and registerHandlers() registers it; a class or a function is registered at once, on a default bus.
import {
  command,
  CommandBus,
  defaultCommandBus,
  defaultQueryBus,
  defineCommand,
  Query,
  query,
  registerHandlers,
} from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class CreateUser extends defineCommand("CreateUser", z.object({ userId: z.string(), email: z.email() })) {}
class DeleteUser extends defineCommand("DeleteUser", z.object({ userId: z.string() })) {}
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

  await defaultCommandBus.dispatch(new CreateUser({ userId: "u1", email: "ada@example.com" }));
  createUser(new CreateUser({ userId: "u2", email: "grace@example.com" }));
  print(`users: ${await defaultQueryBus.ask(new CountUsers())}, counted by a ${UserCounter.name}`);

  // On methods, for buses of your own, because a default bus couples all modules that import it.
  const commandBus = new CommandBus({ name: "userCommands" });
  class Users {
    readonly #deleted: string[] = [];

    @command(DeleteUser)
    delete({ userId }: DeleteUser): void {
      users.delete(userId);
      this.#deleted.push(userId);
    }

    get deleted(): string {
      return this.#deleted.join(", ");
    }
  }

  const instance = new Users();
  const registration = registerHandlers(instance, { commandBus });
  await commandBus.dispatch(new DeleteUser({ userId: "u1" }));
  print(`users: ${users.size}, deleted: ${instance.deleted}`);
  print(
    commandBus
      .describe()
      .handlers.flatMap(({ handlers }) => handlers)
      .join(),
  );
  registration.unsubscribe();

  for (const bus of [defaultCommandBus, defaultQueryBus]) bus.reset();
}

runWhenStarted("12-decorators.ts", main);
