import { syncBoolean } from "../core/checks.js";
import type { Fault } from "../core/delivery/outcome.js";
import type { Envelope, Headers } from "../core/messages/envelope.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import { escapeText } from "./escape-text.js";
import { loggableError } from "./loggable-error.js";
import {
  levelsWithDefaults,
  type AnyLogger,
  type LoggedOutcome,
  type LogLevels,
  type LogOptions,
} from "./options.js";
import { FAILED, type Copy } from "./plain-copy.js";
import { redactedCopy } from "./redacted-copy.js";
import type { Settled } from "../core/pipeline/observe-completion.js";

/** The message of a line; its envelope is made only for a line that is written. */
interface LoggedMessage {
  readonly envelope: Envelope;
  /** The number of the attempt inside `retrying`, from 1. */
  readonly attempt?: number;
}

/** The fields of a line, in the order in which they are written. */
interface Fields {
  event: "message" | "outcome" | "fault";
  messageType?: string;
  id?: string;
  correlationId?: string;
  causationId?: string;
  headers?: Headers;
  payload?: unknown;
  outcome?: LoggedOutcome;
  durationMs?: number;
  attempt?: number;
  attempts?: number;
  fault?: Fault["kind"];
  source?: string;
  err?: Error;
}

/** Writes the lines of one bus. Makes no part of a line whose level the logger has disabled. */
export class LogWriter {
  readonly #logger: AnyLogger;
  readonly #child: AnyLogger;
  readonly #levels: LogLevels<string>;
  readonly #payload: (message: object) => unknown;
  readonly #headers: (headers: Headers) => Headers | undefined;
  readonly #isCancellation: ((reason: unknown) => boolean) | undefined;
  readonly #copy: Copy;

  /** @param options - checked by `checkLogging` */
  constructor(logger: AnyLogger, bus: string, options: LogOptions<string>) {
    const { payload = false, headers = false, bindings = {} } = options;
    this.#logger = logger;
    this.#levels = levelsWithDefaults(options.levels);
    this.#copy = redactedCopy(options.redact ?? []);
    this.#isCancellation = options.isCancellation;
    this.#payload = typeof payload === "function" ? payload : (message) => (payload ? message : undefined);
    this.#headers = headerFilter(headers);
    this.#child = logger.child({ bus: escapeText(bus), ...escapedTexts(bindings) });
  }

  /** Returns true if the options ask for such lines; the level of the logger may disable them for now. */
  canWrite(kind: keyof LogLevels): boolean {
    return this.#levels[kind] !== "silent";
  }

  /** True if the logger would write a line about some outcome now. */
  get writesOutcomes(): boolean {
    return this.#writes("fulfilled") || this.#writes("rejected") || this.#writes("cancelled");
  }

  #writes(kind: keyof LogLevels): boolean {
    const level = this.#levels[kind];
    // A logger without isLevelEnabled() decides for itself when it gets the line.
    return level !== "silent" && (this.#logger.isLevelEnabled?.(level) ?? true);
  }

  /** Returns whether a line was written, as `outcome` and `fault` do. */
  message(message: LoggedMessage): boolean {
    if (!this.#writes("message")) return false;
    const fields = this.#fieldsOf("message", message);
    return this.#write("message", fields, fields.messageType);
  }

  /** @param attempts - how often the message was tried in all, where that is known */
  outcome(message: LoggedMessage, settled: Settled, durationMs: number, attempts = 1): boolean {
    const outcome = this.#outcomeOf(settled);
    if (!this.#writes(outcome)) return false;
    const fields = this.#fieldsOf("outcome", message);
    if (attempts > 1) fields.attempts = attempts;
    fields.outcome = outcome;
    // NaN for a message that was accepted before the logger subscribed.
    if (Number.isFinite(durationMs)) fields.durationMs = Math.round(durationMs * 1000) / 1000;
    if (settled.status === "rejected") fields.err = loggableError(settled.reason, this.#copy);
    return this.#write(outcome, fields, `${fields.messageType} ${outcome}`);
  }

  fault({ kind, source, error, envelope }: Fault): boolean {
    if (!this.#writes("fault")) return false;
    const fields: Fields =
      envelope === undefined ? { event: "fault" } : this.#fieldsOf("fault", { envelope });
    fields.fault = kind;
    fields.source = escapeText(source);
    if (error !== undefined) fields.err = loggableError(error, this.#copy);
    return this.#write("fault", fields, `${kind} fault: ${fields.source}`);
  }

  #outcomeOf(settled: Settled): LoggedOutcome {
    if (settled.status === "fulfilled") return "fulfilled";
    const isCancellation = this.#isCancellation;
    const cancelled =
      isCancellation === undefined
        ? settled.cancelled
        : syncBoolean(isCancellation(settled.reason), "LogOptions", "isCancellation");
    return cancelled ? "cancelled" : "rejected";
  }

  #fieldsOf(
    event: Fields["event"],
    { envelope, attempt = 1 }: LoggedMessage,
  ): Fields & { messageType: string } {
    const { meta, payload } = envelope;
    const fields: Fields & { messageType: string } = {
      event,
      messageType: escapeText(meta.name),
      id: escapeText(meta.id),
      correlationId: escapeText(meta.correlationId),
    };
    if (meta.causationId !== undefined) fields.causationId = escapeText(meta.causationId);
    if (attempt > 1) fields.attempt = attempt;
    const headers = this.#headers(meta.headers);
    if (headers !== undefined) fields.headers = headers;
    const shown = this.#shown(payload);
    if (shown !== undefined) fields.payload = shown;
    return fields;
  }

  #shown(message: object): unknown {
    try {
      const projected = this.#payload(message);
      if (!isThenable(projected)) return this.#copy(projected);
      ignored(projected);
      return FAILED;
    } catch {
      return FAILED;
    }
  }

  #write(kind: keyof LogLevels, fields: Fields, text: string): true {
    const child = this.#child;
    // A child keeps the level that its parent had when the child was made.
    if (child.level !== this.#logger.level) child.level = this.#logger.level;
    const methods = child as unknown as { [level: string]: (fields: Fields, text: string) => void };
    methods[this.#levels[kind]]!(fields, text);
    return true;
  }
}

function headerFilter(option: boolean | readonly string[]): (headers: Headers) => Headers | undefined {
  if (option === false) return () => undefined;
  const names = option === true ? undefined : new Set(option.map((name) => name.toLowerCase()));
  return (headers) => {
    const entries = Object.entries(headers).filter(([name]) => names?.has(name.toLowerCase()) ?? true);
    return entries.length === 0
      ? undefined
      : Object.fromEntries(entries.map(([name, value]) => [escapeText(name), escapeText(value)]));
  };
}

function escapedTexts(bindings: { readonly [name: string]: unknown }): { [name: string]: unknown } {
  return Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [
      name,
      typeof value === "string" ? escapeText(value) : value,
    ]),
  );
}
