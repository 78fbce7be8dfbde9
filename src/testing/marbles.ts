import { TestScheduler, type RunHelpers } from "rxjs/testing";
import { ignored, isThenable } from "../core/util/thenable.js";
import {
  observableDifference,
  subscriptionsDifference,
  type MarbleMessage,
  type MarbleSubscription,
} from "./diagram.js";
import { equal } from "./equal.js";

/**
 * Runs a marble test in virtual time, without a test framework.
 *
 * Guarantees: throws if diagrams differ, and shows both one below the other; if nothing was asserted, or an expectation
 * lacks its `toBe`; and if `run` is asynchronous, because virtual time does not wait for promises. Values are equal if
 * they have equal content and the same classes; deliveries, Observables and functions equal only themselves.
 *
 * Middleware that waits takes part in virtual time if its options have `scheduler: asyncScheduler`. Promises
 * do not take part; test them with fake timers, as `settleAll` shows.
 *
 * @throws TypeError if `run` is not a function
 * @example
 * it("delays", () =>
 *   marbles(({ cold, expectObservable }) => {
 *     const source = cold("  -a-b-|");
 *     const expected = "     ---a-b-|";
 *     expectObservable(source.pipe(delay(2))).toBe(expected);
 *   }));
 */
export function marbles(run: (helpers: RunHelpers) => void): void {
  if (typeof run !== "function") throw new TypeError("marbles() takes a function.");
  const expectations: Expectation[] = [];
  let checked = 0;

  const scheduler = new TestScheduler((actual: unknown, expected: unknown) => {
    checked++;
    if (equal(actual, expected)) return;
    // The scheduler checks in the order of the expectations and leaves out those that lack their toBe.
    throw differs(expectations.filter(({ complete }) => complete)[checked - 1], actual, expected);
  });

  scheduler.run((helpers) => {
    refusePromise(
      run({
        ...helpers,
        expectObservable: (...args) =>
          watched("expectObservable", helpers.expectObservable(...args), expectations),
        expectSubscriptions: (...args) =>
          watched("expectSubscriptions", helpers.expectSubscriptions(...args), expectations),
      }),
    );
    helpers.flush();
  });

  const incomplete = expectations.find(({ complete }) => !complete);
  if (incomplete !== undefined)
    throw at(incomplete.site, `${incomplete.name} asserts nothing without .toBe() or .toEqual().`);
  if (checked === 0)
    throw new Error(
      "This marble test asserted nothing; call expectObservable(...).toBe(...) " +
        "or expectSubscriptions(...).toBe(...) in it.",
    );
}

interface Expectation {
  readonly name: "expectObservable" | "expectSubscriptions";
  /** An error made at the expectation, for its stack. */
  readonly site: Error;
  complete: boolean;
}

/** Wraps an expectation, and marks it complete when its method is called. */
function watched<T extends object>(name: Expectation["name"], inner: T, expectations: Expectation[]): T {
  const expectation: Expectation = { name, site: new Error(name), complete: false };
  expectations.push(expectation);
  const methods = Object.entries(inner).map(([method, call]: [string, (...args: unknown[]) => void]) => [
    method,
    (...args: unknown[]) => {
      expectation.complete = true;
      call(...args);
    },
  ]);
  return Object.fromEntries(methods) as T;
}

function refusePromise(returned: unknown): void {
  if (!isThenable(returned)) return;
  ignored(returned);
  throw new Error(
    "A marble test is synchronous: virtual time does not wait for promises, so code after an await asserts nothing. " +
      "Do not pass an async function; test promises with fake timers.",
  );
}

function differs(expectation: Expectation | undefined, actual: unknown, expected: unknown): Error {
  const difference =
    expectation?.name === "expectSubscriptions"
      ? subscriptionsDifference(expected as MarbleSubscription[], actual as MarbleSubscription[])
      : observableDifference(expected as MarbleMessage[], actual as MarbleMessage[]);
  return at(expectation?.site, `${expectation?.name ?? "An expectation"} is not met. ${difference}`);
}

/** Makes an error whose stack begins at the expectation, because that is the line to look at. */
function at(site: Error | undefined, text: string): Error {
  const error = new Error(text);
  const frames = site?.stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line) && !line.includes(" at watched "));
  // The first frame left is the helper that was given to the test.
  if (frames !== undefined) error.stack = [`Error: ${text}`, ...frames.slice(1)].join("\n");
  return error;
}
