import assert from "node:assert/strict";
import { filter } from "rxjs";
import { load } from "../contenders/cqrx.mjs";

class Succeed {}
class Fail {}
class Wait {}
class Drop {}
class Nest {}
class Ask {}
class Happen {}

/** Each sends one message, which ends in its own way; the promise of it never rejects. */
async function mixture() {
  const { CommandBus, EventBus, QueryBus } = await load();
  const commandBus = new CommandBus({ middleware: [filter(({ message }) => !(message instanceof Drop))] });
  const queryBus = new QueryBus();
  const eventBus = new EventBus();

  const failure = new Error("expected");
  const ended = { fulfilled: 0, rejected: 0, faults: 0 };
  for (const bus of [commandBus, queryBus, eventBus]) {
    bus.outcomes$.subscribe(({ status }) => ended[status]++);
    bus.faults$.subscribe(() => ended.faults++);
  }

  commandBus.register(Succeed, async () => undefined);
  commandBus.register(Fail, async () => {
    throw failure;
  });
  commandBus.register(
    Wait,
    (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  commandBus.register(Drop, () => assert.fail("dropped messages have no handler"));
  commandBus.register(Nest, (_, context) => eventBus.publish(new Happen(), { causedBy: context }));
  queryBus.register(Ask, async () => 1);
  eventBus.register(Happen, async () => undefined);
  eventBus.register(Happen, async () => undefined);

  const longLived = new AbortController();
  const ignore = () => undefined;
  const sends = [
    () => commandBus.dispatch(new Succeed()),
    () => commandBus.dispatch(new Succeed(), { signal: longLived.signal }),
    () => commandBus.dispatch(new Fail()).catch(ignore),
    () => {
      const controller = new AbortController();
      const dispatched = commandBus.dispatch(new Wait(), { signal: controller.signal });
      controller.abort();
      return dispatched.catch(ignore);
    },
    () => commandBus.dispatch(new Drop()).catch(ignore),
    () => commandBus.dispatch(new Nest()),
    () => queryBus.ask(new Ask()),
    () => eventBus.publish(new Happen()),
  ];
  return { sends, ended };
}

function heapUsed() {
  for (let times = 0; times < 3; times++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** Growth of the heap per message from a tenth of the way, when everything is warm, to the end. */
async function measure(quick) {
  const total = quick ? 200_000 : 1_000_000;
  const { sends, ended } = await mixture();
  const checkpoints = [total / 10, (total * 4) / 10, total];
  const heaps = [];
  for (let sent = 1; sent <= total; sent++) {
    await sends[sent % sends.length]();
    if (sent === checkpoints[heaps.length]) heaps.push(heapUsed());
  }
  // Of eight kinds, three are rejected, and one causes a second message.
  const each = total / sends.length;
  assert.deepEqual(ended, { fulfilled: each * 6, rejected: each * 3, faults: 0 });
  const growth = (heaps[2] - heaps[0]) / (checkpoints[2] - checkpoints[0]);
  return { median: growth, best: growth, heaps };
}

export default {
  title: "heap growth over 1,000,000 mixed messages",
  subject: "cqrx",
  unit: "bytes",
  nodeOptions: ["--expose-gc"],
  bars: { cqrx: { atMost: 4 } },
  counted: false,
  contenders: { cqrx: () => ({ measure }) },
};
