import type { Handler, HandlerFunction } from "../core/handlers/handler.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { catchError, endWith, from, ignoreElements, map } from "rxjs";
import { check, checkOptions, required } from "../core/checks.js";
import { isStream } from "../core/delivery/consume-stream.js";
import { CqrsError, InvalidHandlerError } from "../core/errors.js";
import { isThenable } from "../core/util/thenable.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";

/**
 * A fault at one call of a handler.
 *
 * - `"throw"`, `{ throw: error }`: throws at once, and the handler is not called
 * - `"reject"`, `{ reject: error }`: returns a rejected promise, and the handler is not called
 * - `"throwAfter"`, `{ throwAfter: error }`: calls the handler and fails after it has settled, or after the end of
 *   its stream, so that its reply is lost
 * - `"hang"`: returns a promise that never settles, and the handler is not called
 * - `{ delayMs }`: calls the handler after that time, unless the message is cancelled meanwhile
 */
export type InjectedFault =
  | "throw"
  | "reject"
  | "throwAfter"
  | "hang"
  | { readonly throw: unknown }
  | { readonly reject: unknown }
  | { readonly throwAfter: unknown }
  | { readonly delayMs: number };

/** The faults by number of the call, from 1. Other calls reach the handler. */
export interface FaultPlan {
  readonly [call: number]: InjectedFault;
}

/** A handler that fails by plan and counts its calls. */
export type FaultyHandler<M, R> = HandlerFunction<M, R | Promise<Awaited<R>>> & { readonly calls: number };

/** The error of `"throw"`, `"reject"` and `"throwAfter"`. */
export class InjectedFaultError extends CqrsError {
  static override readonly code = "INJECTED_FAULT";

  /** The number of the call, from 1. */
  readonly call: number;

  constructor(fault: string, call: number) {
    super(`Injected fault: ${fault} at call ${call}. It is in the plan of faulty().`);
    this.call = call;
  }
}

type PlannedFault =
  | { readonly kind: "throw" | "reject" | "throwAfter"; readonly error?: unknown }
  | { readonly kind: "hang" }
  | { readonly kind: "delayMs"; readonly ms: number };

/**
 * Wraps a handler so that chosen calls of it go wrong: the same calls in each run.
 *
 * Guarantees: calls that are not in the plan reach the handler unchanged and synchronously. `delayMs` uses
 * `setTimeout`, so fake timers drive it.
 *
 * @throws InvalidHandlerError if the handler cannot be called or is a generator function
 * @throws TypeError if the plan is invalid, because it would silently inject nothing
 * @example
 * const handler = faulty(createUser, { 1: "throw", 2: { reject: new Error("busy") }, 4: { delayMs: 10 } });
 * bus.register(CreateUser, handler);
 * await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("Injected fault: throw at call 1");
 */
export function faulty<M, R>(handler: Handler<M, R>, plan: FaultPlan): FaultyHandler<M, R> {
  checkHandler(handler);
  checkPlan(plan);
  const faults = new Map(Object.entries(plan).map(([call, fault]) => [callOf(call), faultOf(call, fault)]));
  const run = (message: M, context: HandlerContext<M>): R =>
    typeof handler === "function" ? handler(message, context) : handler.handle(message, context);
  let calls = 0;

  function faultyHandler(message: M, context: HandlerContext<M>): R | Promise<Awaited<R>> {
    const call = ++calls;
    const fault = faults.get(call);
    switch (fault?.kind) {
      case undefined:
        return run(message, context);
      case "throw":
        throw errorOf(fault, call);
      case "reject":
        return Promise.reject(errorOf(fault, call));
      case "hang":
        return new Promise(() => undefined);
      case "throwAfter":
        return failAfter(run(message, context), errorOf(fault, call)) as R;
      case "delayMs":
        return later(fault.ms, context.signal).then(() => run(message, context)) as Promise<Awaited<R>>;
    }
  }
  return Object.defineProperty(faultyHandler, "calls", { get: () => calls }) as unknown as FaultyHandler<
    M,
    R
  >;
}

/** Options of {@link randomPlan}. */
export interface RandomPlanOptions {
  /** The number of calls that the plan covers. */
  readonly calls: number;
  /** The share of calls with a fault, from 0 to 1. @defaultValue 0.5 */
  readonly rate?: number;
  /** The faults to choose from. @defaultValue `["throw", "reject", "throwAfter"]` */
  readonly faults?: readonly InjectedFault[];
}

/**
 * Returns a plan for {@link faulty} that looks random and is the same for the same seed, on every machine.
 * Print the seed when a test fails.
 *
 * @throws InvalidOptionsError
 * @example
 * const handler = faulty(createUser, randomPlan(42, { calls: 100, rate: 0.2 }));
 */
export function randomPlan(seed: number, options: RandomPlanOptions): FaultPlan {
  checkOptions<RandomPlanOptions>("randomPlan()", options, {
    calls: required(
      check("a whole number from 0", (calls) => Number.isSafeInteger(calls) && (calls as number) >= 0),
    ),
    rate: check("a number from 0 to 1", (rate) => (rate as number) >= 0 && (rate as number) <= 1),
    faults: check("an array of at least one fault", (faults) => Array.isArray(faults) && faults.length > 0),
  });
  const { calls, rate = 0.5, faults = ["throw", "reject", "throwAfter"] } = options;
  const random = mulberry32(seed);
  const plan: { [call: number]: InjectedFault } = {};
  for (let call = 1; call <= calls; call++) {
    // Draw both numbers at each call, so that another rate changes only which calls fail, not how.
    const [chance, choice] = [random(), random()];
    if (chance < rate) plan[call] = faults[Math.floor(choice * faults.length)]!;
  }
  return plan;
}

/**
 * Returns Tommy Ettinger's generator of random numbers, whose 32 bits of state give the same numbers everywhere.
 */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Refuses the handlers that a bus refuses, because the bus sees only the wrapper. */
function checkHandler(handler: unknown): void {
  const isFunction = typeof handler === "function";
  const run = isFunction ? handler : (handler as { readonly handle?: unknown } | null | undefined)?.handle;
  if (typeof run !== "function")
    throw new InvalidHandlerError("faulty() takes a handler: a function, or an object with a handle method.");
  if (Object.prototype.toString.call(run).endsWith("GeneratorFunction]"))
    throw new InvalidHandlerError(
      "The handler of faulty() is a generator function; return an Observable or an async iterable instead.",
    );
  if (isFunction && /^class\b/.test(Function.prototype.toString.call(handler)))
    throw new InvalidHandlerError(
      "The handler of faulty() is a class; pass an instance with a handle method.",
    );
}

/** Refuses lists and Maps, because their entries are not calls. */
function checkPlan(plan: unknown): void {
  if (typeof plan !== "object" || plan === null || Symbol.iterator in plan)
    throw new TypeError(
      'The plan of faulty() must be an object of calls and their faults, such as { 1: "throw" }.',
    );
}

function callOf(key: string): number {
  const call = Number(key);
  if (!Number.isSafeInteger(call) || call < 1)
    throw new TypeError(
      `The keys of a plan must be numbers of calls, from 1; received ${JSON.stringify(key.slice(0, 60))}.`,
    );
  return call;
}

function faultOf(call: string, fault: unknown): PlannedFault {
  if (fault === "throw" || fault === "reject" || fault === "throwAfter" || fault === "hang")
    return { kind: fault };
  const [entry, ...others] = typeof fault === "object" && fault !== null ? Object.entries(fault) : [];
  if (entry !== undefined && others.length === 0) {
    const [kind, value] = entry as [string, unknown];
    if (kind === "throw" || kind === "reject" || kind === "throwAfter") return { kind, error: value };
    if (kind === "delayMs" && typeof value === "number" && value >= 0 && value <= LONGEST_TIMEOUT_MS)
      return { kind, ms: value };
  }
  throw new TypeError(
    `plan[${call}] is not a fault; use "throw", "reject", "throwAfter", "hang", { throw: error }, { reject: error }, ` +
      "{ throwAfter: error } or { delayMs: 10 }.",
  );
}

function errorOf(fault: { readonly kind: string; readonly error?: unknown }, call: number): Error {
  return ("error" in fault ? fault.error : new InjectedFaultError(fault.kind, call)) as Error;
}

/** Fails once the work has ended: that of a promise, of a stream, and of a stream that a promise brings. */
function failAfter(result: unknown, error: Error): unknown {
  const fail = (): never => {
    throw error;
  };
  const failing = (value: unknown): unknown =>
    isStream(value)
      ? from(value).pipe(ignoreElements(), endWith(undefined), catchError(fail), map(fail))
      : fail();
  return isThenable(result) ? Promise.resolve(result).then(failing, fail) : failing(result);
}

function later(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", cancel);
      resolve();
    }, ms);
    signal.addEventListener("abort", cancel, { once: true });
  });
}
