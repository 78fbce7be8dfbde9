import { describe, expect, it } from "@jest/globals";
import { NEVER, asyncScheduler, concat, delay, map, of, throwError, timer } from "rxjs";
import type { RunHelpers } from "rxjs/testing";
import { delivery, envelope, marbles } from "cqrx/testing";
import { CreateUser, DeleteUser } from "./messages.js";

function failure(run: (helpers: RunHelpers) => void): Error {
  try {
    marbles(run);
  } catch (error) {
    return error as Error;
  }
  throw new Error("the marble test passed");
}

describe("marbles", () => {
  it("runs in virtual time", () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("  -a-b-|");
      const subscriptions = "^----!";
      const expected = "     - 1s a-(b|)";
      expectObservable(source.pipe(delay(1_000))).toBe(expected);
      expectSubscriptions(source.subscriptions).toBe(subscriptions);
    });
  });

  it("returns nothing, so that frameworks do not wait for it", () => {
    expect(marbles(({ expectObservable }) => expectObservable(NEVER).toBe("-"))).toBeUndefined();
  });

  it("shows both diagrams in columns of common time", () => {
    const { message } = failure(({ cold, expectObservable }) =>
      expectObservable(cold("-a-b---|")).toBe("-a--(bc|)"),
    );

    expect(message).toBe(
      [
        "expectObservable is not met. First difference at 3 ms: expected nothing, received b.",
        "",
        "  expected  -a--(bc|)",
        "  actual    -a-b---|",
      ].join("\n"),
    );
  });

  it("shows the values of letters, one letter for equal values", () => {
    const { message } = failure(({ cold, expectObservable }) =>
      expectObservable(
        cold("-x-y-#", { x: new CreateUser("u1"), y: { n: [1, null] } }, new RangeError("late")),
      ).toBe("-p-q-|", { p: new CreateUser("u1"), q: new DeleteUser("u1") }),
    );

    expect(message).toContain(
      [
        "First difference at 3 ms: expected b, received c.",
        "",
        "  expected  -a-b-|",
        "  actual    -a-c-#",
        "",
        '  a  CreateUser { userId: "u1" }',
        '  b  DeleteUser { userId: "u1" }',
        "  c  { n: [1, null] }",
        "  #  RangeError: late",
      ].join("\n"),
    );
  });

  it("shortens long stretches in which nothing happens", () => {
    const { message } = failure(({ expectObservable }) =>
      expectObservable(timer(90).pipe(map(() => "a"))).toBe("100ms (a|)"),
    );

    expect(message).toContain("  expected  90ms ----------(a|)\n  actual    90ms (a|)");
    expect(message).toContain("First difference at 90 ms: expected nothing, received (a|).");
  });

  it("shows an observable that did nothing at all", () => {
    const { message } = failure(({ expectObservable }) => expectObservable(NEVER).toBe("--a"));

    expect(message).toContain("  expected  --a\n  actual    ---");
  });

  it("shows subscriptions", () => {
    const { message } = failure(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("a-|");
      expectObservable(concat(source, source)).toBe("a-a-|");
      expectSubscriptions(source.subscriptions).toBe(["^-!", "--^-!", "----^"]);
    });

    expect(message).toBe(
      [
        "expectSubscriptions is not met. Expected 3 subscriptions, there were 2.",
        "",
        "  expected  ^-!",
        "            --^-!",
        "            ----^",
        "  actual    ^-!",
        "            --^-!",
      ].join("\n"),
    );
  });

  it("has an error whose stack leads to the expectation", () => {
    const { stack } = failure(function here({ expectObservable }) {
      expectObservable(NEVER).toBe("a");
    });

    expect(stack?.split("\n").find((line) => /^\s+at /.test(line))).toMatch(/here.*marbles\.spec\.ts/);
  });

  it("fails when nothing is asserted", () => {
    expect(() => marbles(({ cold }) => void cold("-a").subscribe())).toThrow(
      "This marble test asserted nothing; call expectObservable(...).toBe(...)",
    );
  });

  it("fails for an expectation without its toBe", () => {
    expect(() =>
      marbles(({ expectObservable }) => {
        expectObservable(of(1)).toBe("(a|)", { a: 1 });
        expectObservable(of(2));
      }),
    ).toThrow("expectObservable asserts nothing without .toBe() or .toEqual().");
  });

  it("fails for an asynchronous function, with any assertion and any end", async () => {
    const text = "A marble test is synchronous";

    expect(() =>
      // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the mistake under test
      marbles(async ({ expectObservable }) => {
        expectObservable(of(1)).toBe("(a|)", { a: 1 });
        await Promise.resolve();
        throw new Error("later");
      }),
    ).toThrow(text);
    await Promise.resolve();
  });

  it("rethrows the error of the test, and leaves no virtual time behind", () => {
    const error = new Error("in the test");

    expect(() =>
      marbles(() => {
        throw error;
      }),
    ).toThrow(error);
    expect(asyncScheduler.now()).toBeGreaterThan(1_000_000);
  });

  it("compares with another observable", () => {
    marbles(({ cold, expectObservable }) => expectObservable(of("a")).toEqual(cold("(a|)")));
    expect(
      failure(({ cold, expectObservable }) => expectObservable(of("a")).toEqual(cold("-a|"))).message,
    ).toContain("actual    (a|)");
  });

  it("names the expectation that is not met among several", () => {
    const { message } = failure(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("a|");
      expectObservable(source).toBe("a|");
      expectSubscriptions(source.subscriptions).toBe("^--!");
    });

    expect(message).toContain("expectSubscriptions is not met. They begin or end at different times.");
  });
});

describe("values in marbles", () => {
  const compare = (actual: unknown, expected: unknown): boolean => {
    try {
      marbles(({ expectObservable }) => expectObservable(of(actual)).toBe("(a|)", { a: expected }));
      return true;
    } catch {
      return false;
    }
  };
  class Empty {}
  class AlsoEmpty {}
  const cycle = (name: string): object => {
    const made: { name: string; self?: object } = { name };
    made.self = made;
    return made;
  };
  const same = delivery(new CreateUser("u1"));
  const hour = (): Date => new Date(3_600_000);

  it.each<[string, unknown, unknown]>([
    ["NaN", NaN, NaN],
    ["instances of one class", new CreateUser("u1"), new CreateUser("u1")],
    ["nested data", { a: [1, { b: null }] }, { a: [1, { b: null }] }],
    ["dates", hour(), hour()],
    ["expressions", /a/g, /a/g],
    ["maps in any order", new Map([["a", [1]], ["b", [2]]]), new Map([["b", [2]], ["a", [1]]])], // prettier-ignore
    ["sets in any order", new Set([{ a: 1 }, { b: 2 }]), new Set([{ b: 2 }, { a: 1 }])],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    ["errors", new RangeError("a", { cause: 1 }), new RangeError("a", { cause: 1 })],
    ["envelopes", envelope(new CreateUser("u1")), envelope(new CreateUser("u1"))],
    ["one delivery", same, same],
    ["cycles", cycle("a"), cycle("a")],
  ])("that are equal: %s", (_, a, b) => {
    expect(compare(a, b)).toBe(true);
  });

  it.each<[string, unknown, unknown]>([
    ["types", 1, "1"],
    ["zeros", 0, -0],
    ["null and undefined", null, undefined],
    ["an instance and plain data", new CreateUser("u1"), { userId: "u1" }],
    ["empty classes", new Empty(), new AlsoEmpty()],
    ["a missing field and an undefined one", {}, { a: undefined }],
    ["array and object", [1], { 0: 1 }],
    ["lengths", [1], [1, 2]],
    ["holes", Array(2), Array(3)],
    ["dates", new Date(1), new Date(2)],
    ["expressions", /a/g, /a/i],
    ["maps", new Map([["a", 1]]), new Map([["a", 2]])],
    ["sets", new Set([1, 1.5]), new Set([1, 2])],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    ["buffers", new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
    ["classes of errors", new RangeError("a"), new TypeError("a")],
    ["texts of errors", new Error("a"), new Error("b")],
    ["causes of errors", new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
    ["payloads of envelopes", envelope(new CreateUser("u1")), envelope(new CreateUser("u2"))],
    ["ids of envelopes", envelope(new CreateUser("u1")), envelope(new CreateUser("u1"), { id: "2" })],
    ["deliveries of equal messages", delivery(new CreateUser("u1")), delivery(new CreateUser("u1"))],
    ["functions", () => 1, () => 1],
    ["promises", Promise.resolve(1), Promise.resolve(1)],
    ["cycles", cycle("a"), cycle("b")],
  ])("that differ: %s", (_, a, b) => {
    expect(compare(a, b)).toBe(false);
    expect(compare(b, a)).toBe(false);
  });

  it("that are inner observables are compared by their emissions", () => {
    marbles(({ cold, expectObservable }) => {
      const inner = cold("-x|");
      expectObservable(of(inner)).toBe("(i|)", { i: cold("-x|") });
    });
  });

  it("that are errors of the stream are compared, too", () => {
    marbles(({ expectObservable }) =>
      expectObservable(throwError(() => new RangeError("no"))).toBe("#", undefined, new RangeError("no")),
    );
    expect(() =>
      marbles(({ expectObservable }) =>
        expectObservable(throwError(() => new RangeError("no"))).toBe("#", undefined, new TypeError("no")),
      ),
    ).toThrow("expected #, received #2");
  });

  it("that cannot be shown do not hide the difference", () => {
    const hostile = {
      get a(): never {
        throw new Error("no");
      },
    };

    expect(failure(({ expectObservable }) => expectObservable(of(hostile)).toBe("-")).message).toContain(
      "a  (a value that cannot be shown)",
    );
  });
});
