// Compares cqrx/nats with the bare client of NATS: one caller, one worker, a server of its own, in turn.
//   npm run bench:nats
//   npm run bench:nats -- --rounds 9
// The figures are not a test: the exit code is 0 for any of them.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { bundle } from "../bundle.mjs";
import { Comparison, interleaved } from "../interleaved.mjs";
import { median } from "../measure.mjs";
import { BARE, GetPrice, MANY, OrderPlaced, PlaceOrder } from "./messages.mjs";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "9" } } });
const rounds = Number(options.rounds);
const source = fileURLToPath(new URL("../../../src", import.meta.url));
const entries = [
  "./index.ts",
  "./transport/index.ts",
  "./nats/index.ts",
  "../examples/support/nats-server.ts",
];
const file = await bundle(source, "nats", entries);
const { CommandBus, EventBus, Link, natsTransport, NatsServer, QueryBus, versionText } = await import(file);

const server = await new NatsServer().start();
const worker = fork(fileURLToPath(new URL("worker.mjs", import.meta.url)), [file, server.url]);
await once(worker, "message");
let handled = { bare: 0, cqrx: 0 };
worker.on("message", (counts) => (handled = counts));

const nc = await connect({ servers: server.url });
const js = jetstream(nc);
const link = new Link(await natsTransport({ servers: server.url }));
const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
link.route(commandBus, [PlaceOrder]);
link.route(queryBus, [GetPrice]);
link.route(eventBus, [OrderPlaced]);

const work = {
  request: async (index) => (await nc.request(BARE.subject, JSON.stringify(new GetPrice(index)))).json(),
  ask: (index) => queryBus.ask(new GetPrice(index)),
  dispatch: (index) => commandBus.dispatch(new PlaceOrder(index)),
  "bare publish": (index) => js.publish(BARE.event, JSON.stringify(new OrderPlaced(index))),
  publish: (index) => eventBus.publish(new OrderPlaced(index)),
};

/** The median time of one of 500 in turn, in microseconds. */
const alone = (send) => async () => {
  const times = [];
  for (let index = 0; index < 500; index++) {
    const started = performance.now();
    await send(index);
    times.push((performance.now() - started) * 1_000);
  }
  return median(times);
};

const COUNT = 5_000;
async function sendMany(send) {
  let next = 0;
  const sender = async () => {
    while (next < COUNT) await send(next++);
  };
  await Promise.all(Array.from({ length: MANY }, sender));
}

/** How many a second, many at once. */
const together = (send) => async () => {
  const started = performance.now();
  await sendMany(send);
  return (COUNT * 1_000) / (performance.now() - started);
};

/** How many events a second are stored, handled and acknowledged. */
const endToEnd = (name, send) => async () => {
  const started = performance.now();
  const end = handled[name] + COUNT;
  await sendMany(send);
  while (handled[name] < end) await once(worker, "message");
  return (COUNT * 1_000) / (performance.now() - started);
};

const { request, ask, dispatch, publish, "bare publish": barePublish } = work;
const comparison = new Comparison();
const each = (kind, contenders) =>
  Object.fromEntries(Object.entries(contenders).map(([name, send]) => [name, kind(send)]));
const calls = { request, ask, dispatch };

const latency = await interleaved(each(alone, calls), rounds, "µs");
comparison.add("µs of `ask`, of a request", latency, ["ask", "request"], { atMost: 1.4 });
comparison.add("µs of `dispatch`, of a request", latency, ["dispatch", "request"], { atMost: 1.4 });

const throughput = await interleaved(each(together, calls), rounds, "a second");
comparison.add("`ask` a second, 64 in flight", throughput, ["ask", "request"], { atLeast: 0.6 });
comparison.add("`dispatch` a second, 64 in flight", throughput, ["dispatch", "request"], { atLeast: 0.6 });

const stored = await interleaved(each(alone, { publish, "bare publish": barePublish }), rounds, "µs");
comparison.add("µs of a routed `publish`, of one of JetStream", stored, ["publish", "bare publish"], {
  atMost: 1.3,
});

const delivered = await interleaved(
  { cqrx: endToEnd("cqrx", publish), bare: endToEnd("bare", barePublish) },
  rounds,
  "a second",
);
comparison.add("events a second, stored, handled, acknowledged", delivered, ["cqrx", "bare"], {
  atLeast: 0.6,
});

console.log(`${versionText}\n${comparison}`);
worker.kill();
await server.remove();
process.exit(0);
