import type { LevelWithSilent, Logger } from "pino";
import {
  aBoolean,
  aFunction,
  anArray,
  anObject,
  check,
  checkOptions,
  either,
  type Checks,
} from "../core/checks.js";
import { redactPaths } from "./redacted-copy.js";

/** A level of the logger, custom levels included; `"silent"` writes nothing. */
export type LogLevel<CustomLevels extends string = never> = LevelWithSilent | CustomLevels;

/** The level of each kind of line. */
export interface LogLevels<CustomLevels extends string = never> {
  /** A message was accepted. @defaultValue "debug" */
  readonly message: LogLevel<CustomLevels>;
  /** A message succeeded. @defaultValue "info" */
  readonly fulfilled: LogLevel<CustomLevels>;
  /** A message failed. @defaultValue "error" */
  readonly rejected: LogLevel<CustomLevels>;
  /** A message was cancelled before it ended. @defaultValue "warn" */
  readonly cancelled: LogLevel<CustomLevels>;
  /** An error that belongs to no result of a message. @defaultValue "error" */
  readonly fault: LogLevel<CustomLevels>;
}

/** Options of {@link logTo} and {@link logging}. */
export interface LogOptions<CustomLevels extends string = never> {
  /**
   * The level of each kind of line. Compared with the logger's level at each line, so that a change of that
   * takes effect at once.
   */
  readonly levels?: Partial<LogLevels<CustomLevels>>;
  /**
   * Writes the message into its lines: `true` for all of it, a function for what the function returns. Copied
   * as plain data, then redacted.
   * @defaultValue false
   */
  readonly payload?: boolean | ((message: object) => unknown);
  /**
   * Paths whose values become `[Redacted]`, in the payload and in the fields of errors: `password`,
   * `card.number`, `items[*].price`. The redaction of the logger itself goes on beside it. A value that
   * cannot be read becomes `[redaction failed]`.
   * @defaultValue none
   */
  readonly redact?: readonly string[];
  /**
   * Writes headers: `true` for all, or their names in any case. Headers may hold tokens.
   * @defaultValue false
   */
  readonly headers?: boolean | readonly string[];
  /**
   * Decides whether a rejection was a cancellation, instead of the outcome's `cancelled`.
   * @defaultValue `cancelled` decides
   */
  readonly isCancellation?: (reason: unknown) => boolean;
  /** Fields of every line, beside `bus`. @defaultValue none */
  readonly bindings?: { readonly [name: string]: unknown };
}

/** How a message ended: as its promise, or `"cancelled"` for a rejection by cancellation. */
export type LoggedOutcome = "fulfilled" | "rejected" | "cancelled";

/** A logger without the types of its levels. */
export type AnyLogger = Logger<string>;

const DEFAULT_LEVELS: LogLevels = {
  message: "debug",
  fulfilled: "info",
  rejected: "error",
  cancelled: "warn",
  fault: "error",
};

/** The levels of a logger that does not list its own, such as Fastify's when logging is disabled. */
const STANDARD_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const RULES: Checks<LogOptions> = {
  levels: anObject,
  payload: either(aBoolean, aFunction),
  redact: redactPaths,
  headers: either(
    aBoolean,
    check(
      "an array of names",
      (names) => anArray.accepts(names) && (names as unknown[]).every((name) => typeof name === "string"),
    ),
  ),
  isCancellation: aFunction,
  bindings: anObject,
};

/**
 * Checks the logger and the options when logging is set up, because a mistake would otherwise show at the first
 * line, or never.
 *
 * @throws TypeError for a logger that cannot be written to
 * @throws InvalidOptionsError
 */
export function checkLogging(
  source: string,
  logger: AnyLogger,
  options: unknown,
): asserts options is LogOptions<string> {
  const { child } = (logger ?? {}) as Partial<AnyLogger>;
  const known = typeof child === "function" ? levelsOf(logger) : [];
  if (known.length === 0)
    throw new TypeError(
      `${source} takes a pino logger, or one like it with methods for its levels and child().`,
    );
  checkOptions<LogOptions>(source, options, RULES);
  const level = check(`a level of the logger: ${known.join(", ")} or silent`, (name) =>
    [...known, "silent"].includes(name as string),
  );
  const rules: Checks<LogLevels> = {
    message: level,
    fulfilled: level,
    rejected: level,
    cancelled: level,
    fault: level,
  };
  checkOptions<LogLevels>(source, options.levels ?? {}, rules, "levels.");
}

export function levelsWithDefaults(levels: LogOptions<string>["levels"]): LogLevels<string> {
  const given = Object.entries(levels ?? {}).filter(([, level]) => level !== undefined);
  return { ...DEFAULT_LEVELS, ...Object.fromEntries(given) };
}

function levelsOf(logger: AnyLogger): readonly string[] {
  const { levels } = logger as Partial<AnyLogger>;
  if (levels === undefined) return STANDARD_LEVELS.filter((level) => typeof logger[level] === "function");
  return anObject.accepts(levels?.values) ? Object.keys(levels.values) : [];
}
