// shared() runs one operator instance across all messages, for operators that need the whole stream: here, throttle.
// Run: npm run example 08
// Look at: the first of a burst gets through at once, the rest of it is refused; after the pause the next one gets through.
import { throttleTime } from "rxjs";
import { CommandBus, shared } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class Refresh {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export async function main(print: Print): Promise<void> {
  const pauseMs = 40;

  // throttleTime drops messages in the pause silently, so they count as held, and are rejected after holdTimeoutMs.
  const commandBus = new CommandBus({
    middleware: [shared(throttleTime(pauseMs), { holdTimeoutMs: 5 })],
  });
  commandBus.register(Refresh, ({ reason }) => print(`refreshed: ${reason}`));

  const refresh = (reason: string): Promise<void> =>
    commandBus
      .dispatch(new Refresh(reason))
      .catch((error: Error) => print(`refused: ${reason} (${error.name})`));

  await Promise.all(["click", "another click", "and another"].map(refresh));

  await new Promise((resolve) => setTimeout(resolve, 2 * pauseMs));
  await refresh("a late click");
}

runWhenStarted("08-shared.ts", main);
