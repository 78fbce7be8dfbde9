// overlap() orders messages that overlap: here they queue up, one at a time for each order.
// Run: npm run example 14
// Look at: order A's commands run in turn, order B's beside them; a command that is cancelled while it waits never runs.
import { CommandBus } from "cqrx";
import { overlap } from "cqrx/middleware";
import { runWhenStarted, type Print } from "./support/run.js";

class OrderCommand {
  readonly orderId: string;

  constructor(orderId: string) {
    this.orderId = orderId;
  }
}
class AddItem extends OrderCommand {}
class ApplyVoucher extends OrderCommand {}
class Pay extends OrderCommand {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus({
    middleware: [
      overlap<OrderCommand>({ strategy: "concat", key: ({ orderId }) => orderId, maxQueued: 100 }),
    ],
  });

  for (const type of [AddItem, ApplyVoucher, Pay]) {
    commandBus.register(type, async ({ orderId }) => {
      print(`${orderId}: ${type.name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      print(`${orderId}: ${type.name} ends`);
    });
  }

  // Each command is sent before the previous one has settled.
  const controller = new AbortController();
  const sent = [
    commandBus.dispatch(new AddItem("A")),
    commandBus.dispatch(new ApplyVoucher("A"), { signal: controller.signal }),
    commandBus.dispatch(new Pay("A")),
    commandBus.dispatch(new AddItem("B")),
  ];
  controller.abort(new Error("no voucher after all"));

  for (const result of await Promise.allSettled(sent))
    print(result.status === "fulfilled" ? "done" : `not done: ${(result.reason as Error).message}`);

  // A handler that sends a command for its own order, and awaits it, would wait for itself.
  class Checkout extends OrderCommand {}
  commandBus.register(Checkout, (order, context) =>
    commandBus.dispatch(new Pay(order.orderId), { causedBy: context }),
  );
  await commandBus.dispatch(new Checkout("A")).catch((error: Error) => print(error.name));
}

runWhenStarted("14-one-order-at-a-time.ts", main);
