import type {
  ConsumeOptions,
  Frame,
  Listener,
  StoredDelivery,
  Transport,
} from "../../transport/transport.js";
import { equal } from "../equal.js";

/** A network of its own for each test, and the faults that it can have. */
export interface TransportWorld {
  /** Connects one more process. */
  readonly connect: () => Promise<Transport>;
  /** Kills the server. Required unless the features say `crash: false`. */
  readonly crash?: () => Promise<void>;
  /** Starts the server again, with what it had stored. */
  readonly restart?: () => Promise<void>;
  /** Makes the store of dead letters refuse, or accept again. Required unless the features say otherwise. */
  readonly refuseDeadLetters?: (refused: boolean) => Promise<void>;
  /** Ends what the test has left. */
  readonly close: () => Promise<void>;
}

/** The faults of a world that some tests need. */
export type WorldFault = "crash" | "restart" | "refuseDeadLetters";

/** Declares a test that gets a network of its own, which has the faults that it needs. */
export type Declare = <F extends WorldFault = never>(
  title: string,
  run: (world: TransportWorld & Required<Pick<TransportWorld, F>>) => Promise<void>,
  needs?: readonly F[],
) => void;

/** The faults that need a server that can be killed. */
export const CRASH = ["crash", "restart"] as const;

/** The longest that a test waits for something to happen, in milliseconds. */
const PATIENCE_MS = 30_000;

export interface Asked {
  readonly frames: string[];
  /** The text of the last frame, or the code of the error. */
  readonly last: Promise<string>;
  sent(): boolean;
  cancel(): void;
  credit(count: number): void;
}

/** Calls; a stream is over with a frame whose text is `end`, any other call with its first frame. */
export function ask(transport: Transport, address: string, body: string): Asked {
  const frames: string[] = [];
  let sent = false;
  let outgoing: ReturnType<Transport["call"]> | undefined;
  const last = new Promise<string>((resolve) => {
    outgoing = transport.call(address, frame(body), {
      type: "a",
      sent: () => (sent = true),
      frame: (reply) => {
        frames.push(text(reply.body));
        if (frames.at(-1) === "end" || !/^\d+$/.test(frames.at(-1)!)) resolve(frames.at(-1)!);
      },
      error: (error) => resolve(error.code),
    });
  });
  return {
    frames,
    last,
    sent: () => sent,
    cancel: () => outgoing!.cancel(),
    credit: (count) => outgoing!.credit(count),
  };
}

export function options(given: Partial<ConsumeOptions>): ConsumeOptions {
  return {
    kind: "command",
    types: [],
    group: "g",
    concurrency: 64,
    ackWaitMs: 5_000,
    start: "new",
    order: "none",
    partitions: given.kind === "event" ? 3 : 1,
    ...given,
  };
}

export interface Consuming {
  readonly frames: Frame[];
  readonly attempts: number[];
  texts(): string[];
  close(): Promise<void>;
}

/** Acknowledges everything. */
export async function consuming(transport: Transport, given: Partial<ConsumeOptions>): Promise<Consuming> {
  const frames: Frame[] = [];
  const attempts: number[] = [];
  const listeners: readonly Listener[] = await transport.consume(
    options(given),
    (delivery: StoredDelivery) => {
      frames.push(delivery.frame);
      attempts.push(delivery.attempt);
      return delivery.ack();
    },
  );
  return {
    frames,
    attempts,
    texts: () => frames.map(({ body }) => text(body)),
    close: async () => void (await Promise.all(listeners.map((listener) => listener.close()))),
  };
}

export function append(
  transport: Transport,
  type: string,
  id: string,
  given: Frame = frame(id),
  kind: "c" | "e" = "c",
  partition = 0,
): ReturnType<Transport["append"]> {
  const { signal } = new AbortController();
  const headers = { ...given.headers, "cqrx-type": type, "cqrx-id": id };
  return transport.append(
    `s.${kind}.${partition}.${type}`,
    { headers, body: given.body },
    { id, type, signal, timeoutMs: PATIENCE_MS },
  );
}

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);
export const frame = (body: string): Frame => ({ headers: {}, body: bytes(body) });
export const numbers = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
export const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

export function check(condition: boolean, problem: string): void {
  if (!condition) throw new Error(`The transport does not conform: ${problem}.`);
}

export function same(actual: unknown, expected: unknown): void {
  check(
    equal(actual, expected),
    `expected ${JSON.stringify(expected)}, received ${JSON.stringify(actual)}`.slice(0, 500),
  );
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    check(performance.now() < end, `it did not happen within ${PATIENCE_MS} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
