// A middleware is an operator, so it is tested as operators are: with marbles, in virtual time, and without a bus.
// Run: npm run example 09
// Look at: virtual seconds that take no time, and a failed expectation that shows both diagrams.
import { concat, concatMap, ignoreElements, of, timer } from "rxjs";
import type { Middleware } from "cqrx";
import { delivery, marbles } from "cqrx/testing";
import { runWhenStarted, type Print } from "./support/run.js";

/** Lets messages through one by one, this far apart. */
function spaced(ms: number): Middleware {
  return concatMap((each) => concat(of(each), timer(ms).pipe(ignoreElements())));
}

class Refresh {
  readonly view: string;

  constructor(view: string) {
    this.view = view;
  }
}

// One letter for each delivery.
const a = delivery(new Refresh("list"), { id: "a" });
const b = delivery(new Refresh("map"), { id: "b" });
const c = delivery(new Refresh("chart"), { id: "c" });
const values = { a, b, c };

const tests = {
  "keeps a distance between messages": () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("-ab----c--|", values);
      const wholeTime = " ^---------!";
      const expected = "  -a--b--c--|";
      expectObservable(source.pipe(spaced(3))).toBe(expected, values);
      expectSubscriptions(source.subscriptions).toBe(wholeTime);
    }),

  "waits as long as it has to": () =>
    marbles(({ cold, expectObservable }) => {
      const source = cold("(ab)            ", values);
      const expected = "  a 59m 59s 999ms b";
      expectObservable(source.pipe(spaced(60 * 60 * 1000))).toBe(expected, values);
    }),

  "lets a burst through at once": () =>
    marbles(({ cold, expectObservable }) => {
      const source = cold("-(abc)", values);
      const expected = "  -(abc)";
      expectObservable(source.pipe(spaced(3))).toBe(expected, values);
    }),
};

export async function main(print: Print): Promise<void> {
  for (const [title, test] of Object.entries(tests)) {
    try {
      test();
      print(`passed: ${title}`);
    } catch (error) {
      print(`FAILED: ${title}`);
      print((error as Error).message);
    }
  }
}

runWhenStarted("09-marble-test.ts", main);
