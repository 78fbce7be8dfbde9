import { metrics, type Meter } from "@opentelemetry/api";
import { MeterProvider, MetricReader, type MetricData } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, it } from "@jest/globals";
import { CommandBus, QueryBus } from "cqrx";
import { metering } from "cqrx/opentelemetry";
import { manualClock, recording } from "cqrx/testing";
import { canaries, withTraps } from "../support/traps.js";
import { CreateUser, SendMail, unregisterSdk } from "./support.js";

class Reader extends MetricReader {
  protected override onShutdown = (): Promise<void> => Promise.resolve();
  protected override onForceFlush = (): Promise<void> => Promise.resolve();
}

/** Registers an SDK; the returned function reads a metric. */
function registerSdk(): (name: string) => Promise<MetricData> {
  const reader = new Reader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return async (name) => {
    const { resourceMetrics } = await reader.collect();
    const found = resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .find(({ descriptor }) => descriptor.name === name);
    if (found === undefined) throw new Error(`${name} is not recorded`);
    return found;
  };
}

const ATTRIBUTES = {
  "messaging.system": "cqrx",
  "messaging.operation.name": "dispatch",
  "messaging.operation.type": "process",
  "messaging.cqrx.bus": "commands",
};

afterEach(unregisterSdk);

describe("metering", () => {
  it("counts messages and measures how long they take, by type and error", () =>
    withTraps(async () => {
      const read = registerSdk();
      const clock = manualClock();
      const bus = new CommandBus({ name: "commands", clock, middleware: [metering()] });
      bus.register(CreateUser, async () => {
        await Promise.resolve();
        clock.advance(250);
      });
      bus.register(SendMail, () => {
        clock.advance(20);
        throw new RangeError("no");
      });

      await bus.dispatch(new CreateUser("u1"));
      await bus.dispatch(new CreateUser("u2"));
      await expect(bus.dispatch(new SendMail("ada"))).rejects.toThrow("no");

      const created = { ...ATTRIBUTES, "messaging.destination.name": "CreateUser" };
      const failed = { ...ATTRIBUTES, "messaging.destination.name": "SendMail", "error.type": "RangeError" };
      const counted = await read("messaging.client.consumed.messages");
      expect(counted.descriptor.unit).toBe("{message}");
      expect(counted.dataPoints.map(({ attributes, value }) => [attributes, value])).toEqual([
        [created, 2],
        [failed, 1],
      ]);
      const measured = await read("messaging.process.duration");
      expect(measured.descriptor.unit).toBe("s");
      expect(measured.dataPoints).toEqual([
        expect.objectContaining({
          attributes: created,
          value: expect.objectContaining({ count: 2, sum: 0.5 }),
        }),
        expect.objectContaining({
          attributes: failed,
          value: expect.objectContaining({ count: 1, sum: 0.02 }),
        }),
      ]);
      expect(measured.dataPoints[0]!.value).toHaveProperty("buckets.boundaries.0", 0.005);
      await canaries(bus);
    }));

  it("keeps the synchronous prefix and the value", () =>
    withTraps(async () => {
      const bus = new QueryBus<string>({ middleware: [metering()] });
      const asked: string[] = [];
      bus.register(SendMail, ({ to }) => {
        asked.push(to);
        return to;
      });

      const answer = bus.ask(new SendMail("ada"));

      expect(asked).toEqual(["ada"]);
      expect(await answer).toBe("ada");
      await canaries(bus);
    }));

  it("counts a cancelled message once, when it is cancelled", () =>
    withTraps(async () => {
      const read = registerSdk();
      const bus = new CommandBus({ name: "commands", middleware: [metering()] });
      let finish = (): void => undefined;
      bus.register(CreateUser, () => new Promise<void>((resolve) => (finish = resolve)));
      bus.faults$.subscribe({ error: () => undefined });
      const controller = new AbortController();

      const waiting = bus.dispatch(new CreateUser("u1"), { signal: controller.signal });
      controller.abort();
      await expect(waiting).rejects.toThrow();
      finish();
      await Promise.resolve();

      const { dataPoints } = await read("messaging.client.consumed.messages");
      expect(dataPoints.map(({ attributes, value }) => [attributes["error.type"], value])).toEqual([
        ["AbortError", 1],
      ]);
      await canaries(bus);
    }));

  it("measures with an SDK that is registered after the bus has begun", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [metering()] });
      bus.register(CreateUser, () => undefined);
      await bus.dispatch(new CreateUser("u1"));
      const read = registerSdk();
      await bus.dispatch(new CreateUser("u2"));
      expect((await read("messaging.client.consumed.messages")).dataPoints[0]!.value).toBe(1);
    }));

  it("reports an error of the SDK, and lets the message pass", () =>
    withTraps(async () => {
      const meter = {
        createHistogram: () => {
          throw new Error("broken SDK");
        },
        createCounter: () => undefined,
      } as unknown as Meter;
      const bus = new CommandBus({ middleware: [metering({ meter })] });
      const { faults } = recording(bus);
      bus.register(CreateUser, () => undefined);

      await bus.dispatch(new CreateUser("u1"));

      expect(faults).toEqual([
        expect.objectContaining({ kind: "observer", source: "metering", error: new Error("broken SDK") }),
      ]);
    }));

  it("lets the message pass when the clock of the bus throws", async () => {
    const clock = {
      now: (): number => {
        throw new Error("broken clock");
      },
    };
    const bus = new QueryBus({ clock, middleware: [metering()] });
    const faults: unknown[] = [];
    bus.faults$.subscribe(({ source, error }) => faults.push([source, (error as Error).message]));
    bus.register(CreateUser, () => "Ada");

    expect(await bus.ask(new CreateUser("u1"))).toBe("Ada");
    expect(faults).toContainEqual(["metering", "broken clock"]);
  });
});
