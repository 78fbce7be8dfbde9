// One measurement of the inspector in a process of its own: `node child.mjs <name>` prints a line of JSON. Bundled and started by run.ts.
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import { inspect, type Inspector } from "cqrx/inspector";

class Work {
  readonly id: number;
  readonly text: string;

  constructor(id: number, text = "some text of a message") {
    this.id = id;
    this.text = text;
  }
}
class Ask extends Work {}
class Done extends Work {}

const TOKEN = "token-of-the-benchmark";

function aBus(): CommandBus {
  const bus = new CommandBus();
  bus.register(Work, () => undefined);
  return bus;
}

async function heapMiB(): Promise<number> {
  for (let n = 0; n < 3; n++) {
    await wait(20);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed / 2 ** 20;
}

const growth = (before: number, after: number): number => Math.round((after - before) * 10) / 10;

/** 120 messages of 2 MB: how many are alive after garbage collection, and how much the ring holds. */
async function large(): Promise<object> {
  const bus = aBus();
  const inspector = inspect(bus);
  const before = await heapMiB();
  const references: WeakRef<object>[] = [];
  // A function of its own, because the frame of this one would keep its last message alive.
  const send = async (n: number): Promise<void> => {
    const message = new Work(n, String.fromCharCode(97 + (n % 26)).repeat(2 ** 21));
    references.push(new WeakRef(message));
    await bus.dispatch(message);
  };
  for (let n = 0; n < 120; n++) await send(n);
  const after = await heapMiB();
  const alive = references.filter((reference) => reference.deref() !== undefined).length;
  return { alive, ringBytes: inspector.counts.bytes, heapGrowthMiB: growth(before, after) };
}

/** A million small messages: the growth of the heap from the tenth part on, when the ring is full. */
async function small(): Promise<object> {
  const bus = aBus();
  const inspector = inspect(bus);
  let before = 0;
  for (let n = 0; n < 1_000_000; n++) {
    if (n === 100_000) before = await heapMiB();
    await bus.dispatch(new Work(n));
  }
  return { heapGrowthMiB: growth(before, await heapMiB()), counts: { ...inspector.counts } };
}

/** A page that stops reading while 300,000 messages pass. */
async function stalled(): Promise<object> {
  const bus = aBus();
  const inspector = inspect(bus, { token: TOKEN });
  const { port } = await inspector.listen();
  const socket = connect(port!, "127.0.0.1");
  socket.write(`GET /feed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
  while (inspector.counts.clients === 0) await wait(5);
  socket.pause();
  let before = 0;
  for (let n = 0; n < 300_000; n++) {
    if (n === 30_000) before = await heapMiB();
    await bus.dispatch(new Work(n));
    if (n % 1_000 === 0) await wait(10);
  }
  const result = { heapGrowthMiB: growth(before, await heapMiB()), clients: inspector.counts.clients };
  socket.destroy();
  return result;
}

/** 30,000 messages at once in families of three, with ten failures. */
async function flood(): Promise<object> {
  const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
  commands.register(Work, async ({ id }, context) => {
    await queries.ask(new Ask(id), { causedBy: context });
    if (id % 1_000 === 999) throw new Error("failed");
    await events.publish(new Done(id), { causedBy: context });
  });
  queries.register(Ask, ({ id }) => id);
  const inspector = inspect({ commands, queries, events });
  await Promise.allSettled(Array.from({ length: 10_000 }, (_, id) => commands.dispatch(new Work(id))));
  const kept = inspector.messages();
  const failed = new Set(kept.filter(({ state }) => state === "rejected").map(({ id }) => id));
  const families = new Map<string, number>();
  for (const { correlationId } of kept) families.set(correlationId, (families.get(correlationId) ?? 0) + 1);
  const sizes = [...families].filter(([id]) => !failed.has(id)).map(([, size]) => size);
  return {
    counts: { ...inspector.counts },
    failuresKept: failed.size,
    families: sizes.length,
    whole: sizes.filter((size) => size === 3).length,
  };
}

/** 10,000 messages a second for ten seconds, behind a page. Prints its link first. */
async function load(): Promise<object> {
  const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
  commands.register(Work, async ({ id }, context) => {
    await queries.ask(new Ask(id), { causedBy: context });
    await events.publish(new Done(id), { causedBy: context });
  });
  queries.register(Ask, ({ id }) => id);
  const inspector: Inspector = inspect({ commands, queries, events }, { token: TOKEN });
  console.log(JSON.stringify({ url: (await inspector.listen()).url }));
  while (inspector.counts.clients === 0) await wait(10);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < 10_000) {
    const due = ((performance.now() - start) / 1_000) * (10_000 / 3);
    while (sent < due) void commands.dispatch(new Work(sent++));
    await wait(5);
  }
  const { user, system } = process.cpuUsage(cpu);
  await wait(300);
  const counts = { ...inspector.counts };
  return {
    messages: sent * 3,
    exact: counts.accepted === sent * 3,
    cpuSeconds: (user + system) / 1e6,
    counts,
  };
}

const [name = ""] = process.argv.slice(2);
const measured = { large, small, stalled, flood, load }[name];
if (measured === undefined) throw new Error(`There is no measurement ${name}.`);
console.log(JSON.stringify(await measured()));
// An inspector may still serve.
process.exit();
