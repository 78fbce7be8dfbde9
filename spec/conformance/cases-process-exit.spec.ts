import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, EventBus, QueryBus, shared } from "cqrx";
import { throttleTime } from "rxjs";
import { canaries, withTraps } from "../support/traps.js";
import { reasonOf, watch } from "./support.js";

const run = promisify(execFile);
const root = process.cwd();
const entries = readdirSync(join(root, "src")).filter((name) =>
  existsSync(join(root, `src/${name}/index.ts`)),
);
let folder: string;

beforeAll(async () => {
  // Below node_modules, because the scripts find the optional peers there.
  folder = mkdtempSync(join(root, "node_modules/.cqrx-exit-"));
  await run(
    join(root, "node_modules/.bin/esbuild"),
    ["src/index.ts", "--bundle", "--platform=node", "--format=esm", `--outfile=${join(folder, "cqrx.mjs")}`],
    { cwd: root },
  );
  await run(
    join(root, "node_modules/.bin/esbuild"),
    [
      ...entries.map((entry) => `src/${entry}/index.ts`),
      "--bundle",
      "--splitting",
      "--external:pino",
      "--external:@nats-io/*",
      "--platform=node",
      "--format=esm",
      "--out-extension:.js=.mjs",
      `--outdir=${folder}`,
    ],
    { cwd: root },
  );
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void jest.useRealTimers());

/**
 * Runs a script to its own end and returns its output. A script that something keeps alive does not end: everything that it waits for takes
 * an hour, so that its being over before the time limit of the test shows that nothing kept it alive.
 */
async function script(lines: string): Promise<{ stdout: string; stderr: string }> {
  const file = join(folder, `script-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(
    file,
    `${lines}
     {
       const { CommandBus } = await import("./cqrx.mjs");
       class Canary {}
       const bus = new CommandBus();
       bus.register(Canary, () => console.log("canary"));
       await bus.dispatch(new Canary());
     }`,
  );
  const { stdout, stderr } = await run(process.execPath, [file], { timeout: 100_000 });
  expect(stdout).toContain("canary\n");
  return { stdout, stderr };
}

const state = `JSON.stringify({
  resources: process.getActiveResourcesInfo().filter((name) => !/PipeWrap|TTYWrap|FSReq|FileHandle/.test(name)),
  listeners: process.eventNames().filter((name) => name !== "exit").map((name) => [String(name), process.listenerCount(name)]),
})`;

describe("process exit", () => {
  it("177 a script that dispatches and ends without close exits by itself", async () => {
    const { stderr } = await script(`
      import { CommandBus, QueryBus, EventBus, shared } from "./cqrx.mjs";
      class Message {}
      class Held {}
      const pass = (source) => source;
      const buses = [new CommandBus(), new QueryBus(), new EventBus()];
      for (const bus of buses) { bus.register(Message, () => Promise.resolve(1)); bus.messages$.subscribe(); bus.outcomes$.subscribe(); }
      await buses[0].dispatch(new Message());
      await buses[1].ask(new Message(), { signal: new AbortController().signal });
      await buses[2].publish(new Message());
      buses[0].dispatch(new Message());
      // Held for an hour by a shared middleware, and for ever by a handler.
      const holding = new CommandBus({ middleware: [shared((source) => { source.subscribe(); return pass(source).pipe((all) => all.lift({ call: () => undefined })); }, { holdTimeoutMs: 3_600_000 })] });
      holding.register(Held, () => new Promise(() => undefined));
      holding.dispatch(new Held()).catch(() => undefined);
      buses[0].register(Held, () => new Promise(() => undefined));
      buses[0].dispatch(new Held());
    `);
    expect(stderr).toBe("");
  });

  it("177 a script that closes its buses exits by itself, before the time that close would have waited", async () => {
    const { stdout } = await script(
      `
      import { CommandBus, EventBus } from "./cqrx.mjs";
      class Message {}
      await using eventBus = new EventBus();
      const bus = new CommandBus();
      bus.register(Message, () => new Promise((resolve) => setTimeout(resolve, 20)));
      bus.dispatch(new Message());
      console.log(JSON.stringify(await bus.close({ timeoutMs: 3_600_000 })));
    `.replace(
        "await using eventBus = new EventBus();",
        "const eventBus = new EventBus(); await eventBus[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]?.();",
      ),
    );
    expect(stdout).toContain('{"finished":1,"aborted":[],"abandoned":[]}');
  });

  it("179 listeners of the process are as they were, after import, use, faults and close", async () => {
    const { stdout } = await script(`
      const before = ${state};
      const { CommandBus, EventBus } = await import("./cqrx.mjs");
      class Message {}
      const bus = new CommandBus();
      const events = new EventBus();
      const log = console.error;
      console.error = () => undefined;
      bus.register(Message, () => { throw new Error("boom"); });
      events.register(Message, () => { throw new Error("boom"); });
      await events.publish(new Message()).catch(() => undefined);
      bus.dispatch(new Message(), { signal: new AbortController().signal }).catch(() => undefined);
      bus.outcomes$.subscribe(() => { throw new Error("observer"); });
      await bus.dispatch(new Message()).catch(() => undefined);
      await Promise.all([bus.close(), events.close()]);
      console.error = log;
      console.log(before === ${state} ? "unchanged" : before + ${state});
    `);
    expect(stdout).toContain("unchanged");
  });

  it("180 importing any entry point alone starts no timer, socket or listener, prints nothing and touches no global", async () => {
    const { stdout, stderr } = await script(`
      const globals = () => Reflect.ownKeys(globalThis).map(String).sort().join();
      // Also timers that keep no process alive, which Node does not list.
      let timers = 0;
      for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
        const start = globalThis[name];
        globalThis[name] = (...given) => (timers++, start(...given));
      }
      // Made by Node on first use.
      void globalThis.crypto, globalThis.performance;
      const before = ${state} + globals();
      await import("./cqrx.mjs");
      for (const entry of ${JSON.stringify(entries)}) await import("./" + entry + "/index.mjs");
      console.log(before === ${state} + globals() && timers === 0 ? "unchanged" : "changed");
    `);
    expect(entries).toContain("middleware");
    expect(stdout).toMatch(/^unchanged\n/);
    expect(stderr).toBe("");
  });

  it("183 with fake timers nothing hangs: dispatch, shared middleware and close", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      class Message {
        readonly n: number;

        constructor(n = 0) {
          this.n = n;
        }
      }
      const commandBus = new CommandBus({ middleware: [shared(throttleTime(100), { holdTimeoutMs: 200 })] });
      const [queryBus, eventBus] = [new QueryBus(), new EventBus({ strategy: "sequential" })];
      commandBus.register(Message, () => Promise.resolve());
      queryBus.register(Message, () => Promise.resolve(1));
      eventBus.register(Message, () => Promise.resolve());
      await commandBus.dispatch(new Message());
      const throttled = watch(commandBus.dispatch(new Message(1)));
      expect(await queryBus.ask(new Message())).toBe(1);
      await eventBus.publish(new Message());
      await jest.advanceTimersByTimeAsync(250);
      expect(throttled.reason).toMatchObject({ code: "MESSAGE_HELD" });
      await canaries(queryBus, eventBus);
      const reports = watch(Promise.all([commandBus.close(), queryBus.close(), eventBus.close()]));
      await jest.advanceTimersByTimeAsync(1);
      expect(reports.status).toBe("fulfilled");
      expect(jest.getTimerCount()).toBe(0);
      expect(await reasonOf(commandBus.dispatch(new Message()))).toMatchObject({ code: "BUS_CLOSED" });
    }));
});
