// enqueue() accepts a command now and runs it in the background, once the command that caused it has succeeded.
// Run: npm run example 24
// Look at: the caller has its answer before a mail is sent; the order that fails sends none; the mail server is tried again.
import { CommandBus, defineCommand } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class PlaceOrder extends defineCommand("PlaceOrder", z.object({ orderId: z.string() })) {}

class SendMail extends defineCommand("SendMail", z.object({ text: z.string() })) {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus({ background: { concurrency: 2, retry: { count: 2, delayMs: 1 } } });

  commandBus.register(PlaceOrder, async ({ orderId }, context) => {
    commandBus.enqueue(new SendMail({ text: `order ${orderId}` }), { causedBy: context });
    await Promise.resolve();
    if (orderId === "o2") throw new Error("out of stock");
    print(`${orderId} is saved`);
  });

  commandBus.register(SendMail, async ({ text }, { attempt }) => {
    await Promise.resolve();
    if (text === "order o3" && attempt === 1) throw new Error("the mail server is busy");
    print(`mail sent: ${text} (attempt ${attempt})`);
  });

  // Background commands have no promise: their outcomes carry the id of the envelope that enqueue() returned.
  const names = new Map<string, string>();
  commandBus.outcomes$.subscribe((outcome) => {
    const name = names.get(outcome.envelope.meta.id) ?? outcome.envelope.meta.name;
    print(`  ${name}: ${outcome.status === "fulfilled" ? "done" : (outcome.reason as Error).name}`);
  });

  for (const orderId of ["o1", "o2", "o3"]) {
    const answer = await commandBus.dispatch(new PlaceOrder({ orderId })).then(
      () => "thank you",
      (error: Error) => error.message,
    );
    print(`${orderId}: ${answer}`);
  }

  const { meta } = commandBus.enqueue(new SendMail({ text: "the daily report" }));
  names.set(meta.id, "the report");

  await commandBus.drain(); // close() waits for them as well
  print(`in flight: ${commandBus.inFlight}`);
}

runWhenStarted("24-background-commands.ts", main);
