// A client without an answer sends its command again. Commands with one key run once.
// Run: npm run example 21
// Look at: the card is charged once for three dispatches; another amount under the same key is refused; a failure can be retried.
import { CommandBus, defineCommand } from "cqrx";
import { idempotency } from "cqrx/middleware";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class ChargeCard extends defineCommand("ChargeCard", z.object({ card: z.string(), cents: z.number() })) {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus({
    middleware: [
      idempotency({
        key: (_, { envelope }) => envelope.meta.headers["idempotency-key"],
        store: new Map(), // or an object around a database, which other processes see, too
      }),
    ],
  });
  let online = true;
  commandBus.register(ChargeCard, async ({ card, cents }) => {
    await Promise.resolve();
    if (!online) throw new Error("the bank does not answer");
    print(`  charged ${card} with ${cents}`);
  });

  const charge = (key: string, cents: number): Promise<string> =>
    commandBus
      .dispatch(new ChargeCard({ card: "1234", cents }), { headers: { "idempotency-key": key } })
      .then(
        () => "done",
        (error: Error) => `${error.name}: ${error.message}`,
      );

  print("twice at the same time, and once more:");
  print(`  ${(await Promise.all([charge("k1", 500), charge("k1", 500)])).join(", ")}`);
  print(`  ${await charge("k1", 500)}`);

  print("another amount under the same key:");
  print(`  ${await charge("k1", 900)}`);

  print("a failure is not remembered:");
  online = false;
  print(`  ${await charge("k2", 700)}`);
  online = true;
  print(`  ${await charge("k2", 700)}`);
  print(`  ${await charge("k2", 700)}`);
}

runWhenStarted("21-idempotent-commands.ts", main);
