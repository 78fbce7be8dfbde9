import type { Handler, HandlerFunction } from "../core/handlers/handler.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { CqrsError, InvalidHandlerError, checkObject } from "../core/errors.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";

/**
 * What goes wrong at one call of a handler.
 *
 * - `"throw"`, `{ throw: error }`: it throws at once, and the handler is not called
 * - `"reject"`, `{ reject: error }`: the same as a rejected promise
 * - `"throwAfter"`, `{ throwAfter: error }`: the handler does its work, and then fails: its reply is lost
 * - `"hang"`: a promise that never settles, and a handler that is not called
 * - `{ delayMs }`: the handler is called later, unless the message is cancelled meanwhile
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

/** At which calls, counted from 1, what goes wrong. Other calls go through. */
export interface FaultPlan {
  readonly [call: number]: InjectedFault;
}

/** A handler that fails by plan, and counts its calls. */
export type FaultyHandler<M, R> = HandlerFunction<M, R | Promise<Awaited<R>>> & { readonly calls: number };

/** What `"throw"`, `"reject"` and `"throwAfter"` fail with. */
export class InjectedFaultError extends CqrsError {
  static override readonly code = "INJECTED_FAULT";

  /** Which call of the handler, from 1. */
  readonly call: number;

  constructor(fault: string, call: number) {
    super(`Injected fault: ${fault} at call ${call}. A plan of faulty() wanted it.`);
    this.call = call;
  }
}

type Fault = { readonly kind: "throw" | "reject" | "throwAfter"; readonly error?: unknown } | { readonly kind: "hang" } | { readonly kind: "delayMs"; readonly ms: number }; // prettier-ignore

/**
 * Wraps a handler so that chosen calls of it go wrong: the same calls in each run.
 *
 * Guarantees: calls that are not in the plan reach the handler as they are, synchronously. `delayMs` uses `setTimeout`, so fake timers drive it.
 *
 * @throws InvalidHandlerError for a handler that is none, and for generators; TypeError for a plan that is none, which would silently inject nothing.
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
        return failAfter(run(message, context), errorOf(fault, call));
      case "delayMs":
        return later(fault.ms, context.signal).then(() => run(message, context)) as Promise<Awaited<R>>;
    }
  }
  return Object.defineProperty(faultyHandler, "calls", { get: () => calls }) as unknown as FaultyHandler<
    M,
    R
  >;
}

/** What {@link randomPlan} chooses from. */
export interface RandomPlanOptions {
  /** How many calls the plan covers. */
  readonly calls: number;
  /** The share of calls that go wrong, from 0 to 1. @defaultValue 0.5 */
  readonly rate?: number;
  /** @defaultValue `["throw", "reject", "throwAfter"]` */
  readonly faults?: readonly InjectedFault[];
}

/**
 * A plan for {@link faulty} that looks random and is the same for the same seed, on every machine: print the seed when a test fails.
 *
 * @throws InvalidMessageError for options that are none, RangeError for those outside their range.
 * @example
 * const handler = faulty(createUser, randomPlan(42, { calls: 100, rate: 0.2 }));
 */
export function randomPlan(seed: number, options: RandomPlanOptions): FaultPlan {
  checkObject(options, "options");
  const { calls, rate = 0.5, faults = ["throw", "reject", "throwAfter"] } = options;
  if (!Number.isSafeInteger(calls) || calls < 0)
    throw new RangeError(`calls must be a whole number from 0; received ${calls}.`);
  if (!(rate >= 0 && rate <= 1)) throw new RangeError(`rate must be from 0 to 1; received ${rate}.`);
  if (faults.length === 0) throw new RangeError("faults must not be empty.");
  const random = mulberry32(seed);
  const plan: { [call: number]: InjectedFault } = {};
  for (let call = 1; call <= calls; call++) {
    // Both are drawn at each call, so that another rate changes only which calls fail, not how.
    const [chance, choice] = [random(), random()];
    if (chance < rate) plan[call] = faults[Math.floor(choice * faults.length)]!;
  }
  return plan;
}

/** Tommy Ettinger's generator: 32 bits of state, the same numbers everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is wrapped is no longer seen by the bus, which would have refused these. */
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

/** Of a list or a Map no calls would be found. */
function checkPlan(plan: unknown): void {
  if (typeof plan !== "object" || plan === null || Symbol.iterator in plan)
    throw new TypeError('A plan is an object of calls and their faults, such as { 1: "throw" }.');
}

function callOf(key: string): number {
  const call = Number(key);
  if (!Number.isSafeInteger(call) || call < 1)
    throw new TypeError(`A plan has calls from 1 for keys; received ${JSON.stringify(key)}.`);
  return call;
}

function faultOf(call: string, fault: unknown): Fault {
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

function failAfter(result: unknown, error: Error): Promise<never> {
  const fail = (): never => {
    throw error;
  };
  const isPromise = typeof (result as { then?: unknown } | null | undefined)?.then === "function";
  return isPromise ? Promise.resolve(result).then(fail, fail) : fail();
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
