// A middleware is an RxJS operator over deliveries, so RxJS's own are middleware.
// Run: npm run example 07
// Look at: tap sees, filter refuses, mergeMap checks, map changes; an error of one message does not affect the next.
import { filter, map, mergeMap, tap } from "rxjs";
import { CommandBus, defineCommand, type Delivery } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class Pay extends defineCommand("Pay", z.object({ account: z.string(), amount: z.number() })) {}

type PayDelivery = Delivery<Pay, void>;

export async function main(print: Print): Promise<void> {
  const closedAccounts = new Set(["acme"]);

  const commandBus = new CommandBus({
    middleware: [
      tap(({ message }: PayDelivery) => print(`pay ${message.amount} to ${message.account}`)),
      filter(({ message }: PayDelivery) => message.amount > 0),
      mergeMap(async (delivery: PayDelivery) => {
        await Promise.resolve(); // asks another service
        if (closedAccounts.has(delivery.message.account)) throw new Error("that account is closed");
        return delivery;
      }),
      map((delivery: PayDelivery) =>
        delivery.with(
          new Pay({ account: delivery.message.account, amount: Math.round(delivery.message.amount) }),
        ),
      ),
    ],
  });
  commandBus.register(Pay, ({ account, amount }) => print(`- paid ${amount} to ${account}`));

  for (const command of [
    new Pay({ account: "ada", amount: 9.7 }),
    new Pay({ account: "ada", amount: -5 }),
    new Pay({ account: "acme", amount: 20 }),
    new Pay({ account: "grace", amount: 3 }),
  ]) {
    await commandBus.dispatch(command).catch((error: Error) => print(`- ${error.name}: ${error.message}`));
  }
}

runWhenStarted("07-operators.ts", main);
