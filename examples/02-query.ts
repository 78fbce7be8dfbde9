// A query carries the type of its result, so ask() needs no annotation.
// Run: npm run example 02
// Look at: three ways to answer, and the error for a query without a handler.
import { HandlerNotFoundError, Query, QueryBus } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class GetUserEmail extends Query<string | null> {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

class CountUsers extends Query<number> {}

class ListEmails extends Query<string> {}

class FindNobody extends Query<never> {}

export async function main(print: Print): Promise<void> {
  const users = new Map([
    ["u1", "ada@example.com"],
    ["u2", "grace@example.com"],
  ]);
  const queryBus = new QueryBus();

  queryBus.register(GetUserEmail, ({ userId }) => users.get(userId) ?? null);
  queryBus.register(CountUsers, async () => users.size);
  queryBus.register(ListEmails, async function () {
    return [...users.values()].join(", ");
  });

  const email = await queryBus.ask(new GetUserEmail("u1")); // string | null
  print(`u1: ${email?.toUpperCase()}`);
  print(`u9: ${await queryBus.ask(new GetUserEmail("u9"))}`);
  print(`users: ${(await queryBus.ask(new CountUsers())).toFixed()}`);
  print(`emails: ${await queryBus.ask(new ListEmails())}`);

  const error = await queryBus.ask(new FindNobody()).catch((reason: unknown) => reason);
  if (error instanceof HandlerNotFoundError) print(`${error.code}: ${error.message}`);
}

runWhenStarted("02-query.ts", main);
