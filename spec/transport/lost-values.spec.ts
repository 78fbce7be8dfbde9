import { describe, expect, it } from "@jest/globals";
import { Subject } from "rxjs";
import { QueryBus } from "cqrx";
import { Link, MemoryBroker, memoryTransport, OutcomeUnknownError } from "cqrx/transport";
import { withTraps } from "../support/traps.js";
import { CountOrders, Numbers, QUICK, until } from "./support.js";

describe("a value of a stream that is lost with a connection", () => {
  async function network(): Promise<{
    broker: MemoryBroker;
    served: QueryBus;
    asked: QueryBus;
    close(): Promise<unknown>;
  }> {
    const broker = new MemoryBroker();
    const [worker, caller] = [
      new Link(await memoryTransport({ broker }), QUICK),
      new Link(await memoryTransport({ broker }), QUICK),
    ];
    const [served, asked] = [new QueryBus(), new QueryBus()];
    await worker.serve(served, [CountOrders, Numbers]);
    caller.route(asked, [CountOrders, Numbers]);
    return { broker, served, asked, close: () => Promise.all([caller.close(), worker.close()]) };
  }

  it("makes a live query ask again, so that it shows the latest state", async () => {
    const { broker, served, asked, close } = await network();
    let count = 1;
    const changed$ = new Subject<void>();
    let runs = 0;
    served.register(CountOrders, () => (runs++, count), { refreshOn: changed$ });
    const shown: number[] = [];
    const watching = asked.watch(new CountOrders()).subscribe((value) => shown.push(value));
    await until(() => shown.includes(1));
    broker.crash();
    count = 2;
    changed$.next();
    await until(() => runs === 2);
    await new Promise((resolve) => setImmediate(resolve));
    broker.restart();
    await until(() => shown.includes(2));
    watching.unsubscribe();
    await expect(asked.ask(new CountOrders())).resolves.toBe(2);
    await close();
  });

  it("ends a stream with OutcomeUnknownError, instead of a gap and a good end", async () => {
    const { broker, served, asked, close } = await network();
    const values$ = new Subject<number>();
    served.register(Numbers, () => values$);
    const seen: unknown[] = [];
    const stream = (): void =>
      void asked.ask$(new Numbers(3)).subscribe({
        next: (value) => seen.push(value),
        error: (error: unknown) => seen.push(error),
        complete: () => seen.push("complete"),
      });
    stream();
    await until(() => values$.observed);
    values$.next(1);
    await until(() => seen.includes(1));
    broker.crash();
    values$.next(2);
    broker.restart();
    values$.next(3);
    values$.complete();
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 3, expect.any(OutcomeUnknownError)]);

    served.register(CountOrders, () => 1);
    await expect(asked.ask(new CountOrders())).resolves.toBe(1);
    await close();
  });
});

describe("a live query that cannot be asked again", () => {
  it("fails with the error of the headers of the link", () =>
    withTraps(async () => {
      const broker = new MemoryBroker();
      const error = new Error("no tenant");
      let asks = 0;
      const headers = (): Record<string, string> => {
        if (asks++ > 0) throw error;
        return {};
      };
      const worker = new Link(await memoryTransport({ broker }), QUICK);
      const caller = new Link(await memoryTransport({ broker }), { ...QUICK, headers });
      const [served, asked] = [new QueryBus(), new QueryBus()];
      served.register(CountOrders, () => 1);
      const serving = await worker.serve(served, [CountOrders]);
      caller.route(asked, [CountOrders]);
      const seen: unknown[] = [];
      asked
        .watch(new CountOrders())
        .subscribe({ next: (value) => seen.push(value), error: (failure: unknown) => seen.push(failure) });
      await until(() => seen.length === 1);
      await serving.close();
      await until(() => asks === 2);
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen).toEqual([1, error]);
      await Promise.all([caller.close(), worker.close()]);
    }));
});
