import type { LevelWithSilent, Logger } from "pino";

/** A level of the logger, one of its own included; `"silent"` writes nothing. */
export type LogLevel<CustomLevels extends string = never> = LevelWithSilent | CustomLevels;

/** At which level each kind of line is written. */
export interface LogLevels<CustomLevels extends string = never> {
  /** A message was accepted. @defaultValue "debug" */
  readonly message: LogLevel<CustomLevels>;
  /** It succeeded. @defaultValue "info" */
  readonly fulfilled: LogLevel<CustomLevels>;
  /** It failed. @defaultValue "error" */
  readonly rejected: LogLevel<CustomLevels>;
  /** Nobody waited for it any more. @defaultValue "warn" */
  readonly cancelled: LogLevel<CustomLevels>;
  /** Something went wrong beside the results of messages. @defaultValue "error" */
  readonly fault: LogLevel<CustomLevels>;
}

/** What {@link logTo} and {@link logging} can be told. */
export interface LogOptions<CustomLevels extends string = never> {
  /** Read at each line, so that changing the logger's level takes effect at once. */
  readonly levels?: Partial<LogLevels<CustomLevels>>;
  /**
   * Whether the lines hold the message: `true` for all of it, a function for what it returns. Either way redacted, and copied as plain data.
   * @defaultValue false
   */
  readonly payload?: boolean | ((message: object) => unknown);
  /**
   * Paths whose values become `[Redacted]`, in the payload and in fields of errors: `password`, `card.number`, `items[*].price`.
   * What cannot be redacted, because reading it throws or it refers back to itself, becomes `[redaction failed]`.
   * @defaultValue none
   */
  readonly redact?: readonly string[];
  /** Whether the lines hold the headers: `true` for all, or names in lower or upper case. They may hold tokens. @defaultValue false */
  readonly headers?: boolean | readonly string[];
  /** Whether a rejection was a cancellation. @defaultValue its name is `AbortError` */
  readonly isCancellation?: (reason: unknown) => boolean;
  /** Go into every line, beside `bus`. @defaultValue none */
  readonly bindings?: { readonly [name: string]: unknown };
}

/** How `outcome` is written: promise words, and one for what nobody waited for. */
export type LoggedOutcome = "fulfilled" | "rejected" | "cancelled";

/** A logger without its types of levels. */
export type AnyLogger = Logger<string>;

const DEFAULT_LEVELS: LogLevels = {
  message: "debug",
  fulfilled: "info",
  rejected: "error",
  cancelled: "warn",
  fault: "error",
};

/** Those of a logger that does not list its own, such as the one Fastify has when logging is disabled. */
const STANDARD_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** @throws TypeError that names what is wrong, where the lines are asked for: later it would only show at the first of them. */
export function checkLogging(logger: AnyLogger, options: LogOptions<string>): void {
  const { child } = (logger ?? {}) as Partial<AnyLogger>;
  if (typeof child !== "function" || levelsOf(logger).length === 0)
    throw new TypeError(
      "logTo() and logging() take a pino logger, or one like it, with methods for its levels and child().",
    );
  if (!isObject(options)) throw new TypeError("options is not an object.");
  const { levels, payload, headers, isCancellation, bindings } = options;
  const check = (option: keyof LogOptions, right: boolean, what: string): void => {
    if (!right && options[option] !== undefined) throw new TypeError(`${option} is not ${what}.`);
  };
  check("levels", isObject(levels), "an object");
  check("payload", isFlag(payload) || typeof payload === "function", "true, false or a function");
  check("headers", isFlag(headers) || isNames(headers), "true, false or an array of names");
  check("isCancellation", typeof isCancellation === "function", "a function");
  check("bindings", isObject(bindings), "an object");
}

/** @throws TypeError for a level that the logger does not have: it would only show when the first such line is written. */
export function checkedLevels(logger: AnyLogger, levels: LogOptions<string>["levels"]): LogLevels<string> {
  const all: LogLevels<string> = { ...DEFAULT_LEVELS, ...levels };
  const known = levelsOf(logger);
  for (const [kind, level] of Object.entries(all)) {
    if (!(kind in DEFAULT_LEVELS))
      throw new TypeError(`levels.${kind} is unknown; known are ${Object.keys(DEFAULT_LEVELS).join(", ")}.`);
    if (level !== "silent" && !known.includes(level as string))
      throw new TypeError(
        `levels.${kind} is ${JSON.stringify(level)}, which the logger does not have; ` +
          `it has ${known.join(", ")} and silent.`,
      );
  }
  return all;
}

function levelsOf(logger: AnyLogger): readonly string[] {
  const { levels } = logger as Partial<AnyLogger>;
  if (levels === undefined) return STANDARD_LEVELS.filter((level) => typeof logger[level] === "function");
  return isObject(levels?.values) ? Object.keys(levels.values) : [];
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}
