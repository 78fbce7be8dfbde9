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

/** @throws TypeError for a level that the logger does not have: it would only show when the first such line is written. */
export function checkedLevels(logger: AnyLogger, levels: LogOptions<string>["levels"]): LogLevels<string> {
  const all: LogLevels<string> = { ...DEFAULT_LEVELS, ...levels };
  for (const [kind, level] of Object.entries(all)) {
    if (!(kind in DEFAULT_LEVELS))
      throw new TypeError(`levels.${kind} is unknown; known are ${Object.keys(DEFAULT_LEVELS).join(", ")}.`);
    if (level !== "silent" && !Object.hasOwn(logger.levels.values, String(level)))
      throw new TypeError(
        `levels.${kind} is ${JSON.stringify(level)}, which the logger does not have; ` +
          `it has ${Object.keys(logger.levels.values).join(", ")} and silent.`,
      );
  }
  return all;
}
