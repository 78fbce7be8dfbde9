import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CommandBus, shared, type Delivery } from "cqrx";
import { mergeMap, NEVER, Observable, of } from "rxjs";
import { canaries, withTraps } from "../support/traps.js";
import { microtasks, reasonOf, watch } from "./support.js";

interface Growth {
  readonly count: number;
  readonly slope: number;
  readonly growth: number;
}

const run = promisify(execFile);
const root = process.cwd();
let built: string;

beforeAll(async () => {
  built = mkdtempSync(join(tmpdir(), "cqrx-soak-"));
  const sources = ["mixed", "signals", "comings", "keys", "observers", "waiting", "cached"].map(
    (name) => `spec/soak/${name}.ts`,
  );
  await run(
    join(root, "node_modules/.bin/esbuild"),
    [
      ...sources,
      "--bundle",
      "--platform=node",
      "--format=esm",
      "--out-extension:.js=.mjs",
      `--outdir=${built}`,
    ],
    { cwd: root },
  );
});
afterAll(() => rmSync(built, { recursive: true }));

/** Runs a soak in a process of its own with a small heap, and returns its report. */
async function soak(name: string, megabytes = 64): Promise<{ readonly [key: string]: unknown }> {
  const { stdout, stderr } = await run(
    process.execPath,
    ["--expose-gc", `--max-old-space-size=${megabytes}`, join(built, `${name}.mjs`)],
    { timeout: 900_000 }, // ends a soak that hangs, on a slow machine, too
  );
  expect(stderr).toBe("");
  const result = JSON.parse(stdout) as { readonly [key: string]: unknown };
  expect(result).toMatchObject({ canaries: 1, inFlight: 0 });
  return result;
}

function expectFlat(measured: unknown): void {
  const { count, slope, growth } = measured as Growth;
  // A megabyte comes and goes without a leak. A leak keeps at least one object for each message.
  expect(slope).toBeLessThan(Math.max(4, 2 ** 20 / count));
  expect(growth).toBeLessThan(5 * 2 ** 20);
}

describe("leaks", () => {
  it("169 a million dispatches of all kinds keep nothing", async () => {
    const result = await soak("mixed");
    expectFlat(result);
    // Of each ten, four fail, one of them at its time limit, and one is dropped.
    expect(result).toMatchObject({
      outcomes: { fulfilled: 500_000, rejected: 500_000 },
      timers: 0,
      resources: [],
    });
  });

  it("45 171 172 one signal and one cause shared by 100,000 messages keep nothing, and no timer is left", async () => {
    const result = await soak("signals");
    expectFlat(result["one"]);
    expectFlat(result["caused"]);
    expect(result).toMatchObject({
      inTime: { count: 10_000 },
      timersWithin: 0,
      timers: 0,
      together: 1,
      after: 0,
      warnings: [],
      aborted: 1,
      long: "closed",
      resources: [],
    });
  });

  it("173 handlers, observers and buses that come and go keep nothing, and can be collected", async () => {
    const result = await soak("comings");
    for (const kind of ["handlers", "lanes", "observers", "types", "watchers", "buses"])
      expectFlat(result[kind]);
    expect(result["collected"]).toBeGreaterThan(900);
    expect(result).toMatchObject({ size: 0, watched: false, asking: 0, resources: [] });
  });

  it("33 a million messages past observers that never finish or never read keep no more than the last ones", async () => {
    const result = await soak("observers");
    expectFlat(result);
    // Who did not read for a million messages gets the latest value.
    expect(result).toMatchObject({ handled: 1_000_000, replayed: 100, read: [0, 1_000_000] });
  });

  it("75 with 300,000 messages waiting the next is refused at once, each costs little, and all run in order", async () => {
    const result = await soak("waiting", 1_024);
    expect(result).toMatchObject({ atOnce: "QUEUE_FULL", started: 1, handled: 300_001, inOrder: true });
    expect(result["bytesEach"]).toBeLessThan(2_048);
    expect(result["left"]).toBeLessThan(5 * 2 ** 20);
  });

  it("91 a million different queries keep no more than the store's cap, and a query evicted in flight gets its result", async () => {
    const result = await soak("cached");
    expectFlat(result);
    expect(result).toMatchObject({ size: 100, held: "at last", again: "at last" });
  });

  it("170 a million keys keep nothing", async () => {
    expectFlat(await soak("keys"));
  });

  it("173 an aborted message leaves no subscription behind in any stage of the pipeline", () =>
    withTraps(async () => {
      class Work {}
      let open = 0;
      const counted =
        (inner: (source: Observable<Delivery>) => Observable<Delivery>) => (source: Observable<Delivery>) =>
          new Observable<Delivery>((subscriber) => {
            open++;
            return inner(source)
              .subscribe(subscriber)
              .add(() => open--);
          });
      const bus = new CommandBus({
        middleware: [
          counted(mergeMap((delivery) => of(delivery))),
          shared(mergeMap((delivery) => of(delivery))),
          counted(
            mergeMap((delivery) => new Observable<Delivery>((subscriber) => subscriber.next(delivery))),
          ),
        ],
      });
      bus.register(Work, () => new Observable(() => (open++, () => void open--)).pipe(mergeMap(() => NEVER)));
      const controllers = Array.from({ length: 50 }, () => new AbortController());
      const all = controllers.map(({ signal }) => watch(bus.dispatch(new Work(), { signal })));
      expect(open).toBeGreaterThan(50);
      for (const controller of controllers) controller.abort();
      await microtasks();
      expect(all.every(({ status }) => status === "rejected")).toBe(true);
      expect(open).toBe(0);
      expect(bus.inFlight).toBe(0);
      expect(await reasonOf(bus.dispatch(new (class Unknown {})()))).toMatchObject({
        code: "HANDLER_NOT_FOUND",
      });
      await canaries(bus);
    }));
});
