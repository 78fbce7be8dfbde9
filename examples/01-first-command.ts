// A command is an instance of any class, and its one handler is a function.
// Run: npm run example 01
// Look at: the store has changed before the promise is awaited, and the handler's error arrives as it was thrown.
import { CommandBus } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class CreateUser {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }
}

export async function main(print: Print): Promise<void> {
  const users = new Map<string, string>();
  const commandBus = new CommandBus();

  commandBus.register(CreateUser, ({ userId, email }) => {
    if (users.has(userId)) throw new Error(`${userId} exists already`);
    users.set(userId, email);
  });

  const done = commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
  print(`stored: ${users.get("u1")}`);
  print(`a command returns ${String(await done)}`);

  try {
    await commandBus.dispatch(new CreateUser("u1", "grace@example.com"));
  } catch (error) {
    print(`refused: ${(error as Error).message}`);
  }
  print(`still stored: ${users.get("u1")}`);
}

runWhenStarted("01-first-command.ts", main);
