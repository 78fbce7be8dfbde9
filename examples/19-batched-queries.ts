// Queries that are asked one by one are loaded together: the answer to "N+1" queries.
// Run: npm run example 19
// Look at: four asks make one load; each gets its own result, and the failed one does not affect the others.
import { defineQuery, Query, QueryBus, when } from "cqrx";
import { batching, coalescing } from "cqrx/middleware";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class GetUser extends defineQuery<string>()("GetUser", z.object({ userId: z.string() })) {}

class GetTeam extends Query<string[]> {}

export async function main(print: Print): Promise<void> {
  const users = new Map([
    ["u1", "Ada"],
    ["u2", "Grace"],
    ["u3", "Alan"],
  ]);

  const queryBus = new QueryBus({
    middleware: [
      // Equal queries take one place in the batch.
      coalescing(),
      when(
        GetUser,
        batching<GetUser>({
          maxSize: 100,
          load: async (queries) => {
            const ids = queries.map(({ userId }) => userId);
            print(`  SELECT * FROM users WHERE id IN (${ids.join(", ")})`);
            await Promise.resolve();
            // One result for each, in the same order.
            return ids.map((id) => users.get(id) ?? new Error(`no user ${id}`));
          },
        }),
      ),
    ],
  });

  // Tells the bus that there are such queries; load answers them.
  queryBus.register(GetUser, () => {
    throw new Error("not called");
  });
  // A caller asks one query at a time, because the bus makes the batches.
  queryBus.register(GetTeam, (_, context) =>
    Promise.all(
      ["u1", "u2", "u3"].map((id) => queryBus.ask(new GetUser({ userId: id }), { causedBy: context })),
    ),
  );

  print("a team and two users:");
  const asked = await Promise.allSettled([
    queryBus.ask(new GetTeam()),
    queryBus.ask(new GetUser({ userId: "u1" })),
    queryBus.ask(new GetUser({ userId: "u9" })),
  ]);
  for (const end of asked)
    print(end.status === "fulfilled" ? `  ${String(end.value)}` : `  ${(end.reason as Error).message}`);

  print("later, another batch:");
  print(`  ${await queryBus.ask(new GetUser({ userId: "u2" }))}`);
}

runWhenStarted("19-batched-queries.ts", main);
