// An event tells any number of handlers what happened. Each handler is called, even if another fails.
// Run: npm run example 03
// Look at: one handler fails, the others still run, and publish() reports the failure once all of them have ended.
import { defineEvent, DomainEvent, EventBus, EventHandlersFailedError } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class OrderPlaced extends defineEvent("OrderPlaced", z.object({ orderId: z.string() })) {}

class OrderShipped extends DomainEvent {}

export async function main(print: Print): Promise<void> {
  const eventBus = new EventBus();

  eventBus.register(OrderPlaced, async ({ orderId }) => {
    await Promise.resolve();
    print(`${orderId}: confirmation sent`);
  });
  const printer = eventBus.register(OrderPlaced, () => {
    throw new Error("the printer is out of paper");
  });
  eventBus.register(OrderPlaced, ({ orderId }) => print(`${orderId}: stock updated`));

  const error = await eventBus.publish(new OrderPlaced({ orderId: "o1" })).catch((reason: unknown) => reason);
  if (error instanceof EventHandlersFailedError) {
    print(error.message);
    for (const each of error.errors) print(`- ${(each as Error).message}`);
  }

  printer.unsubscribe();
  await eventBus.publish(new OrderPlaced({ orderId: "o2" }));

  await eventBus.publish(new OrderShipped());
  print("OrderShipped has no handler, and publish() resolves");
}

runWhenStarted("03-events.ts", main);
