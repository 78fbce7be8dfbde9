import { InvalidOptionsError, TwoCopiesError } from "./errors.js";
import { COPY, MADE_BY } from "./util/copy.js";
import { ignored, isThenable } from "./util/thenable.js";
import { LONGEST_TIMEOUT_MS } from "./util/timers.js";

/** A rule for the value of one option. */
export interface Check {
  /** Completes the sentence "the option must be …". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  readonly required?: boolean;
}

/** A rule for each option that a function takes; options without a rule are refused. */
export type Checks<Options> = { readonly [option in keyof Required<Options>]: Check };

// The annotation lets a bundle leave out the rules that it does not use.
export const check = /* @__NO_SIDE_EFFECTS__ */ (
  expected: string,
  accepts: (value: unknown) => boolean,
): Check => ({
  expected,
  accepts,
});

export const required = (rule: Check): Check => ({ ...rule, required: true });

export const either = (one: Check, other: Check): Check =>
  check(`${one.expected} or ${other.expected}`, (value) => one.accepts(value) || other.accepts(value));

export const oneOf = (...values: readonly string[]): Check =>
  check(values.map((value) => JSON.stringify(value)).join(" or "), (value) =>
    values.includes(value as string),
  );

/** An object whose methods have these names, known by its shape because it may come from another library. */
export const withMethods = /* @__NO_SIDE_EFFECTS__ */ (
  expected: string,
  ...methods: readonly string[]
): Check =>
  check(expected, (value) =>
    methods.every((method) => typeof (value as Record<string, unknown> | null)?.[method] === "function"),
  );

export const aFunction = check("a function", (value) => typeof value === "function");
export const aBoolean = check("true or false", (value) => typeof value === "boolean");
export const aText = check("a text", (value) => typeof value === "string");
export const anArray = check("an array", Array.isArray);
export const anObject = check("an object", (value) => typeof value === "object" && value !== null);
export const anObservable = withMethods("an Observable", "subscribe");
export const aSignal = withMethods("an AbortSignal", "addEventListener");
export const aScheduler = withMethods("a scheduler of RxJS", "schedule");

/** `Infinity` passes for a whole number. */
export const wholeNumber = (least: number): Check =>
  check(
    `a whole number from ${least}`,
    (value) => (Number.isInteger(value) || value === Infinity) && (value as number) >= least,
  );

export const milliseconds = check(
  "a number of milliseconds from 0",
  (value) => typeof value === "number" && value >= 0,
);
export const positiveMilliseconds = check(
  "a number of milliseconds above 0",
  (value) => typeof value === "number" && value > 0,
);

/** Accepts the times that `setTimeout` takes, because it fires at once for a longer one. */
export const timerMilliseconds = check(
  `a number of milliseconds from 0 to ${LONGEST_TIMEOUT_MS}`,
  (value) => milliseconds.accepts(value) && (value as number) <= LONGEST_TIMEOUT_MS,
);

/**
 * Checks an object of options where it is passed, because a wrong option would otherwise show at the first
 * message, or never.
 *
 * @param source - the function that takes the options, for the text of the error: `overlap()`
 * @param path - the name of the object among other options, with a dot at its end: `restart.`
 * @throws InvalidOptionsError for a value that is not an object, an unknown option, or a value that its rule does
 * not accept
 */
export function checkOptions<Options extends object>(
  source: string,
  options: unknown,
  rules: Checks<Options>,
  path = "",
): asserts options is Options {
  checkOption(source, path.slice(0, -1) || "options", options, required(anObject));
  const given = options as Readonly<Record<string, unknown>>;
  const known: Readonly<Record<string, Check>> = rules;
  // Inherited fields count, because an AbortSignal that is passed in place of `{ signal }` has no others; those that
  // other code added to every object do not.
  for (const option in given) {
    if (
      Object.hasOwn(known, option) ||
      (Object.hasOwn(Object.prototype, option) && !Object.hasOwn(given, option))
    )
      continue;
    const expected = `one of ${Object.keys(known).join(", ")}`;
    throw new InvalidOptionsError(
      `${source}: unknown option ${path}${option}; pass ${expected}.`,
      path + option,
      expected,
    );
  }
  for (const [option, rule] of Object.entries(known)) checkOption(source, path + option, given[option], rule);
}

/** @throws InvalidOptionsError */
export function checkOption(source: string, option: string, value: unknown, rule: Check): void {
  if (value === undefined ? rule.required : !rule.accepts(value))
    throw invalidOption(source, option, rule.expected, value);
}

/**
 * Returns the error for a value that another copy of the library made, because two copies do not see each other's
 * private state; `undefined` for any other value.
 *
 * @param what - names the value in the error
 */
export function otherCopyError(what: string, value: unknown): TwoCopiesError | undefined {
  const copy = (value as { readonly [MADE_BY]?: typeof COPY } | null | undefined)?.[MADE_BY];
  return copy === undefined || copy === COPY
    ? undefined
    : new TwoCopiesError(what, COPY.version, copy.version);
}

/** @throws TwoCopiesError for a value that another copy of the library made */
export function checkCopy(what: string, value: unknown): void {
  const error = otherCopyError(what, value);
  if (error !== undefined) throw error;
}

/**
 * Converts the result of a callback to a boolean. Rejects promises: a promise is always truthy, so an async
 * callback would silently mean "yes".
 *
 * @throws InvalidOptionsError
 */
export function syncBoolean(result: unknown, source: string, option: string): boolean {
  if (!isThenable(result)) return Boolean(result);
  ignored(result);
  throw invalidOption(source, option, "a function that returns true or false", result);
}

export function invalidOption(
  source: string,
  option: string,
  expected: string,
  received: unknown,
): InvalidOptionsError {
  return new InvalidOptionsError(
    `${source}: ${option} must be ${expected}; received ${describeValue(received)}.`,
    option,
    expected,
  );
}

/**
 * Describes a value that a caller passed; quotes texts only at their start, because error texts never hold long input.
 */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (isThenable(value)) return "a promise";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
