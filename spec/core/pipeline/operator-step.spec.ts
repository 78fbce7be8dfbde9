import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "@jest/globals";
import { CommandBus, around, type Delivery } from "cqrx";
import { type Observable, delayWhen, type OperatorFunction, Subject } from "rxjs";

class Save {
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}

describe("an operator that delays messages", () => {
  const waits = (gate: Observable<unknown>): OperatorFunction<Delivery, Delivery> => delayWhen(() => gate);

  it.each([
    ["outermost", (gate: Observable<unknown>) => [waits(gate)]],
    [
      "inside a function",
      (gate: Observable<unknown>) => [around((message, next) => next(message)), waits(gate)],
    ],
  ])("runs the rest in the async context of the message that waited, %s", async (_, middleware) => {
    const storage = new AsyncLocalStorage<string>();
    const gate = new Subject<void>();
    const bus = new CommandBus({ middleware: middleware(gate) });
    const seen: unknown[] = [];
    bus.register(Save, ({ n }) => void seen.push([n, storage.getStore()]));
    const sent = [1, 2].map((n) => storage.run(`caller ${n}`, () => bus.dispatch(new Save(n))));
    storage.run("the code that opens the gate", () => gate.next());
    await Promise.all(sent);
    expect(seen).toEqual([
      [1, "caller 1"],
      [2, "caller 2"],
    ]);
  });
});
