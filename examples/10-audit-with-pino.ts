// logTo() writes the events of a bus to a pino logger: one line per message, outcome and fault.
// Run: npm run example 10
// Look at: the password is redacted, the failed command says why, and the lines of one command share its id.
import { CommandBus, defineCommand } from "cqrx";
import { logTo } from "cqrx/pino";
import { manualClock, sequentialIds } from "cqrx/testing";
import { pino } from "pino";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class SignUp extends defineCommand("SignUp", z.object({ userId: z.string(), password: z.string() })) {}

export async function main(print: Print): Promise<void> {
  // An application's own logger, made to say the same at every run: no process id, no time, no stacks.
  const logger = pino(
    {
      level: "debug",
      base: null,
      timestamp: false,
      serializers: { err: ({ name, message }: Error) => `${name}: ${message}` },
    },
    { write: (line: string) => print(line.trimEnd()) },
  );

  const clock = manualClock();
  const commandBus = new CommandBus({ name: "commands", clock, ids: sequentialIds("m") });
  commandBus.register(SignUp, ({ password }) => {
    clock.advance(5);
    if (password.length < 8) throw new RangeError("the password is too short");
  });

  const logs = logTo(commandBus, logger, { payload: true, redact: ["password"] });
  await commandBus.dispatch(new SignUp({ userId: "u1", password: "correct horse" }));
  await commandBus
    .dispatch(new SignUp({ userId: "u2", password: "battery" }))
    .catch(() => print("u2 has to try again"));

  logs.unsubscribe();
  await commandBus.dispatch(new SignUp({ userId: "u3", password: "without an observer" }));
}

runWhenStarted("10-audit-with-pino.ts", main);
