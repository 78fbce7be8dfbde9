import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, jest } from "@jest/globals";
import { type BusClosedError, CommandBus, CqrsError, EventBus, QueryBus, type Delivery } from "cqrx";
import { httpStatusOf } from "cqrx/http";
import { authorization, overlap, timeLimit, validation } from "cqrx/middleware";
import { EMPTY, filter } from "rxjs";
import { z } from "zod";
import { canaries } from "../support/traps.js";

const src = join(__dirname, "../../src");
const codes = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) => [
    ...readFileSync(join(src, file), "utf8").matchAll(
      /static (?:override )?readonly code(?:: \w+)? = "([A-Z_]+)"/g,
    ),
  ])
  .map(([, code]) => code!);

class Save {
  static readonly schema = z.object({ text: z.string().min(1) });
  constructor(readonly text = "x") {}
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("It was fulfilled.");
    },
    (error: unknown) => error,
  );
}

describe("httpStatusOf()", () => {
  it("has a status for the code of every error in src; add new ones to src/http/http-status.ts", () => {
    const table = readFileSync(join(src, "http/http-status.ts"), "utf8");
    expect(codes.length).toBeGreaterThan(25);
    expect(
      [...new Set(codes)].filter((code) => !new RegExp(`^  ${code}: \\d{3},$`, "m").test(table)),
    ).toEqual([]);
  });

  const statusOf = async (promise: Promise<unknown>): Promise<number> =>
    httpStatusOf(await rejection(promise));

  it("is 501 without a handler, 503 when the bus is closed", async () => {
    const bus = new CommandBus();
    expect(await statusOf(bus.dispatch(new Save()))).toBe(501);
    await bus.close();
    expect(await statusOf(bus.dispatch(new Save()))).toBe(503);
  });

  it("is 422 for what a schema refuses, 400 for what is not a message", async () => {
    const bus = new CommandBus({ middleware: [validation()] });
    bus.register(Save, () => undefined);
    expect(await statusOf(bus.dispatch(new Save("")))).toBe(422);
    expect(await statusOf(bus.dispatch(new Save(), { headers: { "x-role": "caf\u00e9" } }))).toBe(400);
  });

  it("is 403 for who may not, 503 for a limit of time, 503 for a message that was dropped", async () => {
    const never = new Promise<void>(() => undefined);
    for (const [middleware, status] of [
      [authorization(() => false), 403],
      [timeLimit(1), 503],
      [filter<Delivery>(() => false), 503],
    ] as const) {
      const bus = new CommandBus({ middleware: [middleware] });
      bus.register(Save, () => never);
      expect(await statusOf(bus.dispatch(new Save()))).toBe(status);
    }
  });

  it("is 409 while busy or when superseded, 503 when too many wait", async () => {
    for (const [options, late, status] of [
      [{ strategy: "exhaust" }, true, 409],
      [{ strategy: "switch" }, false, 409],
      [{ strategy: "concat", maxQueued: 0 }, true, 503],
    ] as const) {
      const bus = new CommandBus({ middleware: [overlap(options)] });
      let finish = (): void => undefined;
      bus.register(Save, () => new Promise<void>((resolve) => (finish = resolve)));
      const both = [bus.dispatch(new Save()), bus.dispatch(new Save())];
      expect(await statusOf(both[late ? 1 : 0]!)).toBe(status);
      finish();
      await Promise.allSettled(both);
    }
  });

  it("is 404 for a query without a result, 500 for event handlers that failed", async () => {
    const [queryBus, eventBus] = [new QueryBus(), new EventBus()];
    queryBus.register(Save, () => EMPTY);
    eventBus.register(Save, () => {
      throw new Error("no");
    });
    expect(await statusOf(queryBus.ask(new Save()))).toBe(404);
    expect(await statusOf(eventBus.publish(new Save()))).toBe(500);
  });

  it("knows errors of another copy of the library, and of a later version as 500", async () => {
    let other!: { readonly CqrsError: typeof CqrsError; readonly BusClosedError: typeof BusClosedError };
    await jest.isolateModulesAsync(async () => {
      other = await import("cqrx");
    });
    expect(other.CqrsError).not.toBe(CqrsError);
    expect(httpStatusOf(new other.BusClosedError("CommandBus"))).toBe(503);
    class LaterError extends other.CqrsError {
      static override readonly code = "LATER";
    }
    expect(httpStatusOf(new LaterError("x"))).toBe(500);
  });

  it("is 503 for what was cancelled or timed out, 500 for everything else", () => {
    expect(httpStatusOf(new DOMException("gone", "AbortError"))).toBe(503);
    expect(httpStatusOf(new DOMException("late", "TimeoutError"))).toBe(503);
    expect(
      [new Error("x"), undefined, null, "text", 404, {}, []].map((error) => httpStatusOf(error)),
    ).toEqual([500, 500, 500, 500, 500, 500, 500]);
  });

  it("does not take codes of others for its own", () => {
    // The code of an error of tRPC that means 401.
    expect(httpStatusOf(Object.assign(new Error(), { code: "UNAUTHORIZED" }))).toBe(500);
    expect(httpStatusOf(Object.assign(new Error(), { code: "toString" }), {})).toBe(500);
  });

  it("takes the statuses of the application first", () => {
    const statuses = { USER_NOT_FOUND: 404, QUEUE_FULL: 429 };
    expect(httpStatusOf(Object.assign(new Error(), { code: "USER_NOT_FOUND" }), statuses)).toBe(404);
    class Full extends CqrsError {
      static override readonly code = "QUEUE_FULL";
    }
    expect([httpStatusOf(new Full("x"), statuses), httpStatusOf(new Full("x"))]).toEqual([429, 503]);
  });

  it("never throws", async () => {
    const trap = (): never => {
      throw new Error("trap");
    };
    const hostile = [
      new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap }),
      {
        get code() {
          return trap();
        },
      },
      Object.assign(new CqrsError("x"), { code: Symbol("x") }),
    ];
    expect(hostile.map((error) => httpStatusOf(error))).toEqual([500, 500, 500]);
    await canaries(new CommandBus());
  });
});
