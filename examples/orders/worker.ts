// A process that takes orders. Start as many as you like: npx tsx examples/orders/worker.ts <url> <folder>
import { setTimeout as pause } from "node:timers/promises";
import { CommandBus, Envelope, EventBus, QueryBus } from "cqrx";
import { UnrecoverableError, type Link } from "cqrx/transport";
import { GetPrice, OrderPaid, PlaceOrder } from "./messages.js";
import { Ledger, linkTo, runProcess, serving, type Network } from "./process.js";
import { runWhenStarted } from "../support/run.js";

const PRICES: Readonly<Record<string, number>> = { book: 12, lamp: 40, chair: 90, unicorn: 1_000 };

export async function startWorker(network: Network, folder: string): Promise<Link> {
  const bank = new Ledger(folder, "charges");
  const queryBus = new QueryBus();
  queryBus.register(GetPrice, ({ item }) => PRICES[item]!);

  const eventBus = new EventBus();
  const commandBus = new CommandBus();
  commandBus.register(PlaceOrder, async ({ orderId, item }, context) => {
    // Not tried again: straight to the dead letters, where it can be looked at.
    if (item === "unicorn") throw new UnrecoverableError("There are no unicorns.");
    await pause(100); // the bank takes its time
    bank.write(orderId, context.attempt);
    // A second attempt publishes the same event, which is stored once, because its id is made of that of the command.
    const paid = Envelope.of(new OrderPaid(orderId), { id: `${context.envelope.meta.id}-paid` });
    await eventBus.publish(paid, { causedBy: context });
  });

  const link = linkTo(network);
  link.route(eventBus, [OrderPaid]);
  await link.serve(queryBus, [GetPrice]);
  await link.serve(commandBus, [PlaceOrder], serving(network));
  return link;
}

runWhenStarted("worker.ts", () => runProcess(startWorker));
