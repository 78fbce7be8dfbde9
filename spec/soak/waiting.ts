// 300,000 messages that wait for one, and one more.
import { CommandBus } from "cqrx";
import { overlap } from "cqrx/middleware";
import { heap, report } from "./heap.js";

const COUNT = 300_000;

class Work {
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}

const bus = new CommandBus({ middleware: [overlap({ strategy: "concat", maxQueued: COUNT })] });
let open!: () => void;
const gate = new Promise<void>((resolve) => (open = resolve));
let next = 0;
let inOrder = true;
bus.register(Work, ({ n }) => {
  inOrder &&= n === next++;
  return n === 0 ? gate : undefined;
});

const before = await heap();
const sent = Array.from({ length: COUNT + 1 }, (_, n) => bus.dispatch(new Work(n)));
const waiting = await heap();
let refused: { code?: string } | undefined;
bus.dispatch(new Work(-1)).catch((error: { code?: string }) => (refused = error));
await Promise.resolve();
await Promise.resolve();
// Refused while all other messages wait.
const atOnce = refused?.code;
const started = next;

open();
await Promise.all(sent.splice(0));
const left = (await heap()) - before;
await report({ bytesEach: (waiting - before) / COUNT, atOnce, started, handled: next, inOrder, left }, bus);
