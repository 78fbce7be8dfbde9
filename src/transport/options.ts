import {
  aBoolean,
  aFunction,
  anArray,
  check,
  oneOf,
  positiveMilliseconds,
  wholeNumber,
  withMethods,
  type Check,
  type Checks,
} from "../core/checks.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import type { Headers } from "../core/messages/envelope.js";
import type { ErrorType } from "./error-catalog.js";
import { HALF } from "./names.js";
import type { Inbox } from "./inbox.js";
import type { StoredFormat } from "./stored-frames.js";
import type { Start } from "./transport.js";

/** Options of a `Link`. */
export interface LinkOptions {
  /**
   * The classes of errors that cross as instances, each with a `static code` of its own. The errors of this library
   * are always among them. List the same in all processes. @defaultValue []
   */
  readonly errors?: readonly ErrorType[];
  /** Sends the texts of all other errors, too. Texts of an application may hold data. @defaultValue false */
  readonly exposeErrors?: boolean;
  /** The `source` of CloudEvents, a URI reference. @defaultValue "cqrx" */
  readonly source?: string;
  /** How long a call or a stored send may take, in milliseconds. @defaultValue 30_000 */
  readonly timeoutMs?: number;
  /**
   * The interval of signs of life while calls run; silence for three of them ends a call. The same in all processes.
   * @defaultValue 2_000
   */
  readonly heartbeatMs?: number;
  /** How many values of a stream may be on their way. @defaultValue 256 */
  readonly streamCredit?: number;
  /**
   * How many values of a stream wait for a slow subscriber before it fails with `SlowConsumerError`.
   * @defaultValue 10_000
   */
  readonly streamBuffer?: number;
  /** The number of partitions of stored events, the same in all processes and for ever. @defaultValue 8 */
  readonly partitions?: number;
  /** Returns headers for each message that leaves, such as `traceHeaders` of `cqrx/opentelemetry`. */
  readonly headers?: (context: HandlerContext) => Headers;
}

/** Options of `link.route`. */
export interface RouteOptions<M = never> {
  /**
   * `"handled"` waits for the result of another process; `"stored"` until the message is stored there. Events are
   * always stored.
   * @defaultValue "handled"; "stored" for events
   */
  readonly until?: "handled" | "stored";
  /** @defaultValue the `timeoutMs` of the link */
  readonly timeoutMs?: number;
  /** The key of a stored event, whose order is kept. @defaultValue `static partitionKey(message)` of the class */
  readonly key?: (message: M) => string | undefined;
  /** The form of stored messages. Both are read everywhere. @defaultValue "envelope" */
  readonly format?: StoredFormat;
}

/** Options of `link.serve`. */
export interface ServeOptions {
  /** Each stored message goes to one process of each group. Required for events. @defaultValue "cqrx" */
  readonly group?: string;
  /** How many calls, and how many stored messages, run at a time. @defaultValue 64 */
  readonly concurrency?: number;
  /** How often a stored message is tried before it goes to the dead letters. @defaultValue 5 */
  readonly maxAttempts?: number;
  /**
   * The waits between attempts in milliseconds, the last one repeated; a quarter more or less by chance.
   * @defaultValue [100, 1_000, 5_000, 30_000]
   */
  readonly backoffMs?: readonly number[];
  /**
   * How long a stored message is left to a process that gives no sign of life, in milliseconds.
   * @defaultValue 10_000
   */
  readonly ackWaitMs?: number;
  /** Remembers handled messages, so that a message that is delivered twice has one effect. @defaultValue none */
  readonly inbox?: Inbox;
  /**
   * How long a claim of the inbox holds without an end, in milliseconds; longer than a handler takes.
   * @defaultValue 10_000
   */
  readonly leaseMs?: number;
  /** The first message of a group that is new. @defaultValue "new" */
  readonly start?: Start;
  /** `"key"` handles events of one key one after the other, in order. @defaultValue "none" */
  readonly order?: "none" | "key";
  /**
   * Messages of a listed type in a version that cannot be read here: to the dead letters, or left to newer processes.
   * @defaultValue "dead-letter"
   */
  readonly unknown?: "dead-letter" | "retry";
  /** The kinds of message that this process takes; other processes take the rest. @defaultValue ["calls", "stored"] */
  readonly accept?: readonly ("calls" | "stored")[];
}

export const aStart = check(
  '"new", "all", a valid Date or { after }',
  (value) =>
    value === "new" ||
    value === "all" ||
    (value instanceof Date && !Number.isNaN(value.getTime())) ||
    typeof (value as { after?: unknown } | null)?.after === "string",
);
const someTexts = (...texts: string[]): Check =>
  check(`an array of ${texts.map((text) => JSON.stringify(text)).join(", ")}`, (value) =>
    Array.isArray(value) ? value.every((each) => texts.includes(each as string)) : false,
  );

export const LINK_OPTIONS: Checks<LinkOptions> = {
  errors: anArray,
  exposeErrors: aBoolean,
  source: check("a URI reference", (value) => /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/.test(String(value))),
  timeoutMs: positiveMilliseconds,
  heartbeatMs: positiveMilliseconds,
  streamCredit: wholeNumber(1),
  streamBuffer: wholeNumber(1),
  partitions: check(
    "a whole number from 1 to 256",
    (value) => wholeNumber(1).accepts(value) && Number(value) <= 256,
  ),
  headers: aFunction,
};
export const ROUTE_OPTIONS: Checks<RouteOptions> = {
  until: oneOf("handled", "stored"),
  timeoutMs: positiveMilliseconds,
  key: aFunction,
  format: oneOf("envelope", "cloudevents"),
};
export const SERVE_OPTIONS: Checks<ServeOptions> = {
  group: check(
    "a text of 1 to 100 whole characters",
    (value) => typeof value === "string" && /^.{1,100}$/s.test(value) && !HALF.test(value),
  ),
  concurrency: wholeNumber(1),
  maxAttempts: wholeNumber(1),
  backoffMs: check(
    "an array of milliseconds",
    (value) => Array.isArray(value) && value.every((each) => typeof each === "number" && each >= 0),
  ),
  ackWaitMs: positiveMilliseconds,
  inbox: withMethods("an inbox", "claim", "done", "release"),
  leaseMs: positiveMilliseconds,
  start: aStart,
  order: oneOf("none", "key"),
  unknown: oneOf("dead-letter", "retry"),
  accept: someTexts("calls", "stored"),
};
