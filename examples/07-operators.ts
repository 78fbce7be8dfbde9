// A middleware is an RxJS operator over deliveries, so RxJS's own are middleware.
// Run: npm run example 07
// Look at: tap sees, filter refuses, mergeMap checks, map changes; an error of one message does not affect the next.
import { filter, map, mergeMap, tap } from "rxjs";
import { CommandBus, type Delivery } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class Pay {
  readonly account: string;
  readonly amount: number;

  constructor(account: string, amount: number) {
    this.account = account;
    this.amount = amount;
  }
}

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
        delivery.with(new Pay(delivery.message.account, Math.round(delivery.message.amount))),
      ),
    ],
  });
  commandBus.register(Pay, ({ account, amount }) => print(`- paid ${amount} to ${account}`));

  for (const command of [new Pay("ada", 9.7), new Pay("ada", -5), new Pay("acme", 20), new Pay("grace", 3)]) {
    await commandBus.dispatch(command).catch((error: Error) => print(`- ${error.name}: ${error.message}`));
  }
}

runWhenStarted("07-operators.ts", main);
