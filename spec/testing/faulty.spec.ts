import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, CqrsError, QueryBus } from "cqrx";
import { faulty, InjectedFaultError, randomPlan, type FaultPlan } from "cqrx/testing";
import { defer, of, throwError } from "rxjs";
import { CreateUser, GetName } from "./messages.js";

afterEach(() => {
  jest.useRealTimers();
});

async function* worked(order: string[]): AsyncGenerator<string> {
  order.push("worked");
  yield await Promise.resolve("Ada");
}

describe("faulty", () => {
  const busWith = (plan: FaultPlan): { bus: QueryBus; worked: () => number; calls: () => number } => {
    const work = jest.fn(() => "Ada");
    const handler = faulty<GetName, string>(work, plan);
    const bus = new QueryBus();
    bus.register(GetName, handler);
    return { bus, worked: () => work.mock.calls.length, calls: () => handler.calls };
  };

  it("lets calls outside the plan through, synchronously, and counts all", async () => {
    const created: string[] = [];
    const handler = faulty(({ userId }: CreateUser) => void created.push(userId), { 2: "throw" });
    const bus = new CommandBus();
    bus.register(CreateUser, handler);

    bus.dispatch(new CreateUser("u1"));
    expect(created).toEqual(["u1"]);
    await expect(bus.dispatch(new CreateUser("u2"))).rejects.toThrow(InjectedFaultError);
    bus.dispatch(new CreateUser("u3"));

    expect(created).toEqual(["u1", "u3"]);
    expect(handler.calls).toBe(3);
  });

  it.each(["throw", "reject"] as const)("fails without calling the handler: %s", async (fault) => {
    const { bus, worked, calls } = busWith({ 1: fault });

    await expect(bus.ask(new GetName())).rejects.toThrow(`Injected fault: ${fault} at call 1.`);
    expect(worked()).toBe(0);
    expect(calls()).toBe(1);
  });

  it("fails after the work is done: throwAfter", async () => {
    const { bus, worked } = busWith({ 1: "throwAfter" });

    await expect(bus.ask(new GetName())).rejects.toThrow("Injected fault: throwAfter at call 1.");
    expect(worked()).toBe(1);
  });

  it("waits for asynchronous work before it fails: throwAfter", async () => {
    const order: string[] = [];
    const bus = new QueryBus();
    const work = async (): Promise<string> => {
      await Promise.resolve();
      order.push("worked");
      return "Ada";
    };
    bus.register(GetName, faulty<GetName, Promise<string>>(work, { 1: "throwAfter" }));

    await bus.ask(new GetName()).catch(() => order.push("failed"));

    expect(order).toEqual(["worked", "failed"]);
  });

  it.each<[string, (order: string[]) => unknown]>([
    ["an Observable", (order) => defer(() => of(order.push("worked")))],
    ["an async iterable", (order) => worked(order)],
    ["a promise of a stream", async (order) => defer(() => of(order.push("worked")))],
    ["a stream that fails", (order) => defer(() => throwError(() => order.push("worked")))],
  ])("does the work of %s before it fails: throwAfter", async (_, work) => {
    const order: string[] = [];
    const bus = new CommandBus();
    bus.register(
      CreateUser,
      faulty<CreateUser, unknown>(() => work(order), { 1: "throwAfter" }),
    );
    await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("Injected fault: throwAfter at call 1.");
    expect(order).toEqual(["worked"]);
  });

  it.each(["throw", "reject", "throwAfter"] as const)(
    "fails with the error of the plan: %s",
    async (kind) => {
      const error = new Error("mine");
      const { bus } = busWith({ 1: { [kind]: error } as { throw: unknown } });

      await expect(bus.ask(new GetName())).rejects.toBe(error);
    },
  );

  it("never answers until it is cancelled: hang", async () => {
    const { bus, worked } = busWith({ 1: "hang" });
    const controller = new AbortController();

    const asked = bus.ask(new GetName(), { signal: controller.signal });
    controller.abort("enough");

    await expect(asked).rejects.toBe("enough");
    expect(worked()).toBe(0);
  });

  it("answers late: delayMs", async () => {
    jest.useFakeTimers();
    const { bus, worked } = busWith({ 1: { delayMs: 10 } });

    const asked = bus.ask(new GetName());
    await jest.advanceTimersByTimeAsync(9);
    expect(worked()).toBe(0);
    await jest.advanceTimersByTimeAsync(1);

    expect(await asked).toBe("Ada");
  });

  it("does not call the handler any more when cancelled during the delay", async () => {
    jest.useFakeTimers();
    const { bus, worked } = busWith({ 1: { delayMs: 10 } });
    const controller = new AbortController();

    const asked = bus.ask(new GetName(), { signal: controller.signal });
    controller.abort("enough");

    await expect(asked).rejects.toBe("enough");
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(20);
    expect(worked()).toBe(0);
  });

  it("wraps objects with a handle method, called on the object", async () => {
    class Names {
      readonly name = "Ada";
      handle(): string {
        return this.name;
      }
    }
    const bus = new QueryBus();
    bus.register(GetName, faulty<GetName, string>(new Names(), { 2: "throw" }));

    expect(await bus.ask(new GetName())).toBe("Ada");
  });

  it("is an error of the library, which knows the call", () => {
    const error = new InjectedFaultError("throw", 3);

    expect(error).toBeInstanceOf(CqrsError);
    expect(error).toMatchObject({ name: "InjectedFaultError", code: "INJECTED_FAULT", call: 3 });
  });

  it.each<[string, object]>([
    ["an unknown word", { 1: "trow" }],
    ["an unknown field", { 1: { delay: 10 } }],
    ["two faults", { 1: { throw: 1, delayMs: 1 } }],
    ["a negative delay", { 1: { delayMs: -1 } }],
    ["a call before the first", { 0: "throw" }],
    ["a call that is not a number", { first: "throw" }],
    ["nothing", { 1: null }],
  ])("refuses a plan with %s", (_, plan) => {
    expect(() => faulty(() => undefined, plan as FaultPlan)).toThrow(TypeError);
  });
});

describe("randomPlan", () => {
  it("is the same for the same seed, and another for another", () => {
    const options = { calls: 50 };

    expect(randomPlan(42, options)).toEqual(randomPlan(42, options));
    expect(randomPlan(42, options)).not.toEqual(randomPlan(43, options));
  });

  it("is pinned, so that a seed means the same on every machine", () => {
    expect(randomPlan(7, { calls: 6 })).toMatchInlineSnapshot(`
      {
        "1": "throw",
        "4": "throw",
        "6": "throw",
      }
    `);
  });

  it("has about the share of faults asked for, of all kinds asked for", () => {
    const faults = ["hang", { delayMs: 5 }] as const;
    const plan = randomPlan(1, { calls: 1_000, rate: 0.2, faults });

    expect(Object.keys(plan).length).toBeGreaterThan(150);
    expect(Object.keys(plan).length).toBeLessThan(250);
    expect(new Set(Object.values(plan))).toEqual(new Set(faults));
  });

  it("has all calls at rate 1 and none at rate 0, and the rate does not change how a call fails", () => {
    const all = randomPlan(9, { calls: 20, rate: 1 });

    expect(Object.keys(all)).toHaveLength(20);
    expect(randomPlan(9, { calls: 20, rate: 0 })).toEqual({});
    expect(all).toMatchObject(randomPlan(9, { calls: 20, rate: 0.5 }));
  });

  it("refuses options outside their range", () => {
    expect(() => randomPlan(1, { calls: -1 })).toThrow("calls must be");
    expect(() => randomPlan(1, { calls: 1, rate: 2 })).toThrow("rate must be");
    expect(() => randomPlan(1, { calls: 1, faults: [] })).toThrow(
      "faults must be an array of at least one fault",
    );
    expect(() => randomPlan(1, {} as never)).toThrow(
      "calls must be a whole number from 0; received undefined",
    );
  });
});
