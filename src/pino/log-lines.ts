import { isAbortError } from "../core/delivery/abort.js";
import type { Envelope, Headers } from "../core/messages/envelope.js";
import type { Fault } from "../core/delivery/outcome.js";
import { isThenable } from "../core/util/thenable.js";
import { loggableError } from "./error.js";
import { escapeText } from "./escape.js";
import {
  checkedLevels,
  checkLogging,
  type AnyLogger,
  type LoggedOutcome,
  type LogLevels,
  type LogOptions,
} from "./options.js";
import { FAILED, redacting, type Copy } from "./redacted-copy.js";

/** The message a line is about; read only if the line is written. */
interface About {
  readonly envelope: Envelope;
  /** Of a delivery inside `retrying`. */
  readonly attempt?: number;
  /** Of an outcome. */
  readonly attempts?: number;
}

/** One line, in the order in which it is read. */
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

/** Writes the lines of one bus. Nothing is read or made for a line whose level the logger has disabled. */
export class Lines {
  readonly #logger: AnyLogger;
  readonly #child: AnyLogger;
  readonly #levels: LogLevels<string>;
  readonly #payload: (message: object) => unknown;
  readonly #headers: (headers: Headers) => Headers | undefined;
  readonly #isCancellation: (reason: unknown) => boolean;
  readonly #copy: Copy;

  constructor(logger: AnyLogger, bus: string, options: LogOptions<string>) {
    checkLogging(logger, options);
    const { payload = false, headers = false, bindings = {} } = options;
    this.#logger = logger;
    this.#levels = checkedLevels(logger, options.levels);
    this.#copy = redacting(options.redact ?? []);
    this.#isCancellation = options.isCancellation ?? isAbortError;
    this.#payload =
      typeof payload === "function" ? payload : payload ? (message) => message : () => undefined;
    this.#headers = chosen(headers);
    this.#child = logger.child({ bus: escapeText(bus), ...escapedTexts(bindings) });
  }

  /** Whether such lines can be written, at the level that the logger has now or at another. */
  canWrite(kind: keyof LogLevels): boolean {
    return this.#levels[kind] !== "silent";
  }

  /** Whether any line about the end of a message would be written now. */
  get writesOutcomes(): boolean {
    return this.#writes("fulfilled") || this.#writes("rejected") || this.#writes("cancelled");
  }

  #writes(kind: keyof LogLevels): boolean {
    const level = this.#levels[kind];
    // A logger like pino's may not know; it drops the line then.
    return level !== "silent" && (this.#logger.isLevelEnabled?.(level) ?? true);
  }

  /** Returns whether there was anything to write, as the others do. */
  message(about: About): boolean {
    if (!this.#writes("message")) return false;
    const fields = this.#about("message", about);
    return this.#write("message", fields, fields.messageType);
  }

  outcome(about: About, settled: PromiseSettledResult<unknown>, durationMs: number): boolean {
    const outcome = this.#outcomeOf(settled);
    if (!this.#writes(outcome)) return false;
    const fields = this.#about("outcome", about);
    fields.outcome = outcome;
    // Not a number when the logger came after the message.
    if (Number.isFinite(durationMs)) fields.durationMs = Math.round(durationMs * 1000) / 1000;
    if (settled.status === "rejected") fields.err = loggableError(settled.reason, this.#copy);
    return this.#write(outcome, fields, `${fields.messageType} ${outcome}`);
  }

  fault({ kind, source, error, envelope }: Fault): boolean {
    if (!this.#writes("fault")) return false;
    const fields: Fields = envelope === undefined ? { event: "fault" } : this.#about("fault", { envelope });
    fields.fault = kind;
    fields.source = escapeText(source);
    if (error !== undefined) fields.err = loggableError(error, this.#copy);
    return this.#write("fault", fields, `${kind} fault: ${fields.source}`);
  }

  #outcomeOf(settled: PromiseSettledResult<unknown>): LoggedOutcome {
    if (settled.status === "fulfilled") return "fulfilled";
    return this.#isCancellation(settled.reason) ? "cancelled" : "rejected";
  }

  #about(
    event: Fields["event"],
    { envelope, attempt = 1, attempts = 1 }: About,
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
    if (attempts > 1) fields.attempts = attempts;
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
      // Nobody waits for it, and its failure must not end the process.
      projected.then(undefined, () => undefined);
      return FAILED;
    } catch {
      return FAILED;
    }
  }

  #write(kind: keyof LogLevels, fields: Fields, text: string): true {
    const child = this.#child;
    // A child keeps the level that its parent had when it was made.
    if (child.level !== this.#logger.level) child.level = this.#logger.level;
    (child as unknown as { [level: string]: (fields: Fields, text: string) => void })[this.#levels[kind]]!(
      fields,
      text,
    );
    return true;
  }
}

function chosen(option: boolean | readonly string[]): (headers: Headers) => Headers | undefined {
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
