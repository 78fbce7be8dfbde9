import { describe, expect, it } from "@jest/globals";
import { CommandBus, QueryBus } from "cqrx";
import { overlap } from "cqrx/middleware";
import { lastValueFrom, Observable, take, toArray } from "rxjs";
import { canaries, macrotask, withTraps } from "../../support/traps.js";

class Read {}

/** An iterator that writes down how it is used. */
function source(log: string[], end: "done" | "throw" | "never"): AsyncIterable<number> {
  let count = 0;
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        if (++count <= 2) return Promise.resolve({ done: false, value: count });
        if (end === "throw") return Promise.reject(new Error("read"));
        return end === "done"
          ? Promise.resolve({ done: true, value: undefined })
          : new Promise(() => undefined);
      },
      return() {
        log.push("return");
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}

describe("an async iterator", () => {
  it.each([
    ["done", []],
    ["throw", []],
    ["never", ["return"]],
  ] as const)("that ends with %s is told to return only if its consumer left", (end, expected) =>
    withTraps(async () => {
      const log: string[] = [];
      const queryBus = new QueryBus<number>();
      queryBus.register(Read, () => source(log, end));
      const values$ = queryBus.ask$(new Read());
      await lastValueFrom((end === "never" ? values$.pipe(take(2)) : values$).pipe(toArray()), {
        defaultValue: [],
      }).catch(() => undefined);
      const commandBus = new CommandBus();
      commandBus.register(Read, () => source([], "done"));
      await commandBus.dispatch(new Read());
      await macrotask();
      expect(log).toEqual(expected);
      await canaries(queryBus, commandBus);
    }),
  );
});

// sindresorhus/p-event#20: hand-written iterators answer to return() at once, which `for await` accepts.
describe("an iterator that its consumer leaves", () => {
  it.each<[string, () => unknown]>([
    ["answers at once", () => ({ done: true, value: undefined })],
    ["answers with nothing", () => undefined],
    [
      "throws",
      () => {
        throw new Error("return");
      },
    ],
    ["rejects", () => Promise.reject(new Error("return"))],
  ])("and that %s to return() is not reported", (_, answer) =>
    withTraps(async () => {
      const queryBus = new QueryBus<number>();
      const faults: unknown[] = [];
      queryBus.faults$.subscribe((fault) => faults.push(fault));
      const next = () => ({ done: false, value: 1 });
      queryBus.register(
        Read,
        () =>
          ({ [Symbol.asyncIterator]: () => ({ next, return: answer }) }) as unknown as AsyncIterable<number>,
      );
      expect(await queryBus.ask(new Read())).toBe(1);
      await macrotask();
      expect(faults).toEqual([]);
      await canaries(queryBus);
    }),
  );
});

// An overlap beside it would run twice at a time, as if a promise that was given up were not waited for.
describe("an iterator that works on after its consumer has left", () => {
  async function* waitsForItsWork(work: Promise<void>): AsyncGenerator<number> {
    await work;
    yield 1;
  }
  async function* cleansUp(work: Promise<void>): AsyncGenerator<number> {
    try {
      yield 1;
    } finally {
      await work;
    }
  }
  const hasNoReturn = (work: Promise<void>): AsyncIterable<number> => ({
    [Symbol.asyncIterator]: () => ({ next: () => work.then(() => ({ done: true, value: undefined })) }),
  });

  it.each([
    ["a generator that waits", waitsForItsWork],
    ["an iterator without return()", hasNoReturn],
    ["a generator that cleans up", cleansUp],
  ])("keeps its turn until it has ended: %s", (_, iterator) =>
    withTraps(async () => {
      const leaving = new AbortController();
      const queryBus = new QueryBus<number>({ middleware: [overlap({ strategy: "concat" })] });
      let end!: () => void;
      const work = new Promise<void>((resolve) => (end = resolve));
      let started = 0;
      queryBus.register(Read, () => (++started === 1 ? iterator(work) : Promise.resolve(2)));
      const first = queryBus.ask(new Read(), { signal: leaving.signal }).catch(String);
      await macrotask();
      leaving.abort("left");
      const second = queryBus.ask(new Read());
      await macrotask();
      expect(started).toBe(1);
      end();
      expect(await second).toBe(2);
      await first;
      await canaries(queryBus);
    }),
  );

  it("and never ends does not keep the next message from a bus without a limit", () =>
    withTraps(async () => {
      const queryBus = new QueryBus<number>();
      queryBus.register(Read, () => cleansUp(new Promise(() => undefined)));
      expect(await queryBus.ask(new Read())).toBe(1);
      expect(await queryBus.ask(new Read())).toBe(1);
      await canaries(queryBus);
    }));
});

describe("a signal without a reason", () => {
  it.each(["before", "after"])("rejects with an AbortError, aborted %s the dispatch", (when) =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      commandBus.register(Read, () => new Promise(() => undefined));
      const controller = new AbortController();
      const { signal } = controller;
      Object.defineProperty(signal, "reason", { value: undefined });
      if (when === "before") controller.abort();
      const sent = commandBus.dispatch(new Read(), { signal });
      if (when === "after") controller.abort();
      await expect(sent).rejects.toMatchObject({ name: "AbortError" });
      await canaries(commandBus);
    }),
  );
});

describe("a handler that aborts its own message", () => {
  it("has the Observable that it returns not subscribed to", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      const commandBus = new CommandBus();
      let subscribed = 0;
      commandBus.register(Read, () => {
        leaving.abort("left");
        return new Observable(() => void subscribed++);
      });
      await expect(commandBus.dispatch(new Read(), { signal: leaving.signal })).rejects.toBe("left");
      expect(subscribed).toBe(0);
      await canaries(commandBus);
    }));

  it("has the iterator that it returns told to return", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      const commandBus = new CommandBus();
      const log: string[] = [];
      commandBus.register(Read, () => {
        leaving.abort("left");
        return source(log, "never");
      });
      await expect(commandBus.dispatch(new Read(), { signal: leaving.signal })).rejects.toBe("left");
      expect(log).toEqual(["return"]);
      await canaries(commandBus);
    }));
});
