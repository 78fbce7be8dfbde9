import { pino, type Logger, type LoggerOptions } from "pino";
import { CommandBus } from "cqrx";
import { logTo, type LogOptions } from "cqrx/pino";

export type Line = { readonly [field: string]: unknown };

export interface LoggerInMemory {
  readonly logger: Logger;
  /** What was written, byte for byte. */
  readonly text: () => string;
  /** One record per line. */
  readonly lines: () => readonly Line[];
}

/** A pino logger that writes into memory. */
export function loggerInMemory(options: LoggerOptions = { level: "trace" }): LoggerInMemory {
  const written: string[] = [];
  const stream = { write: (text: string): void => void written.push(text) };
  const text = (): string => written.join("");
  return {
    logger: pino({ base: null, timestamp: false, ...options }, stream),
    text,
    lines: () =>
      text()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Line),
  };
}

export class CreateUser {
  readonly userId: string;
  readonly password = "secret";

  constructor(userId: string) {
    this.userId = userId;
  }
}

export class GetUser {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

/** Returns what stands in the log for the payload of a message. */
export async function loggedPayload(message: object, options: LogOptions): Promise<unknown> {
  const { logger, lines } = loggerInMemory({ level: "info" });
  const bus = new CommandBus({ fallback: () => undefined });
  logTo(bus, logger, options);
  await bus.dispatch(message);
  return lines()[0]?.["payload"];
}

/** Runs the callbacks of settled promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
