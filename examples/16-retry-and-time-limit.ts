// retrying() and timeLimit(): a time for each attempt inside, a time for all of them outside.
// Run: npm run example 16
// Look at: the second attempt has a signal of its own; a permanent error is not retried.
import { CommandBus, defineCommand, InvalidMessageError } from "cqrx";
import { isRetryable, retrying, timeLimit } from "cqrx/middleware";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class SendMail extends defineCommand("SendMail", z.object({ to: z.string() })) {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus({
    middleware: [
      timeLimit(1_000),
      retrying<SendMail>({
        count: 3,
        delayMs: 5,
        retryIf: (error, { to }) => {
          print(`  ${to}: ${(error as Error).name}`);
          return isRetryable(error);
        },
      }),
      timeLimit(20),
    ],
  });

  commandBus.register(SendMail, async ({ to }, { attempt, signal }) => {
    print(`${to}, attempt ${attempt}`);
    if (!to.includes("@")) throw new InvalidMessageError(`${to} is not an address.`);
    if (attempt === 1) throw new TypeError("the mail server is restarting");
    // The second attempt hangs. A real one passes the signal on: fetch(url, { signal }).
    if (attempt === 2) {
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    }
    print(`  ${to}: sent`);
  });

  await commandBus.dispatch(new SendMail({ to: "ada@example.com" }));
  await commandBus
    .dispatch(new SendMail({ to: "ada" }))
    .catch((error: Error) => print(`refused: ${error.message}`));
}

runWhenStarted("16-retry-and-time-limit.ts", main);
