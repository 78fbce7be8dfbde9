// A query is answered from a cache until a command changes its result; equal queries at the same time share one run.
// Run: npm run example 18
// Look at: five asks read the database once; after the command, the next ask reads again.
import { CommandBus, defineCommand, defineQuery, fulfilled, ofType, QueryBus, when } from "cqrx";
import { caching, coalescing, type CacheEntry } from "cqrx/middleware";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class RenameUser extends defineCommand("RenameUser", z.object({ userId: z.string(), name: z.string() })) {}

class GetUser extends defineQuery<string | null>()("GetUser", z.object({ userId: z.string() })) {}

export async function main(print: Print): Promise<void> {
  const database = new Map([["u1", "Ada"]]);
  const commandBus = new CommandBus();
  commandBus.register(RenameUser, ({ userId, name }) => void database.set(userId, name));

  const queryBus = new QueryBus({
    middleware: [
      coalescing(),
      when(
        GetUser,
        caching({
          store: new LRUCache<string, CacheEntry>({ max: 1_000 }),
          ttlMs: 60_000,
          refreshOn: commandBus.outcomes$.pipe(ofType(RenameUser), fulfilled()),
        }),
      ),
    ],
  });
  queryBus.register(GetUser, async ({ userId }) => {
    print(`  reading ${userId} from the database`);
    await Promise.resolve();
    return database.get(userId) ?? null;
  });
  const ask = (userId: string): Promise<string | null> => queryBus.ask(new GetUser({ userId }));

  print("three at the same time:");
  print(`  ${(await Promise.all([ask("u1"), ask("u1"), ask("u1")])).join(", ")}`);

  print("two more, later:");
  print(`  ${await ask("u1")}, ${await ask("u1")}`);

  print("after a command:");
  await commandBus.dispatch(new RenameUser({ userId: "u1", name: "Ada Lovelace" }));
  print(`  ${await ask("u1")}, ${await ask("u1")}`);

  print("a result that is null is a result:");
  print(`  ${await ask("u2")}, ${await ask("u2")}`);
  await queryBus.close();
}

runWhenStarted("18-cached-and-coalesced-query.ts", main);
