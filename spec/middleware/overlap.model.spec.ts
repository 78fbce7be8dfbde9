import { describe, expect, it } from "@jest/globals";
import { around, CommandBus, type Delivery, type Middleware } from "cqrx";
import { overlap, type OverlapOptions } from "cqrx/middleware";
import fc from "fast-check";
import { tap } from "rxjs";
import { deferred, microtasks, watch, type Deferred, type Watched } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";

type Ending = "value" | "throws" | "later";

class Work {
  readonly n: number;
  readonly key: number;
  readonly ending: Ending;

  constructor(n: number, key: number, ending: Ending) {
    this.n = n;
    this.key = key;
    this.ending = ending;
  }
}

type Policy = Required<Pick<OverlapOptions, "strategy" | "concurrency" | "maxQueued">>;
type Status = "pending" | "fulfilled" | "rejected";

/** The promise of overlap: for each key the running and the waiting messages, moved on at once. */
class Model {
  readonly started: number[][] = [[], [], []];
  readonly statuses: Status[] = [];
  readonly running: number[][] = [[], [], []];
  readonly waiting: number[][] = [[], [], []];
  readonly works: Work[] = [];
  readonly #policy: Policy;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  send(work: Work): void {
    const { n, key } = work;
    const { strategy, concurrency, maxQueued } = this.#policy;
    this.works.push(work);
    this.statuses.push("pending");
    const busy = this.running[key]!.length >= concurrency;
    if (!busy) this.#start(n);
    else if (strategy === "exhaust") this.statuses[n] = "rejected";
    else if (strategy === "switch") {
      for (const older of [...this.running[key]!]) this.settle(older, "rejected");
      this.#start(n);
    } else if (this.waiting[key]!.length >= maxQueued) this.statuses[n] = "rejected";
    else this.waiting[key]!.push(n);
  }

  settle(n: number, status: Status): void {
    const { key } = this.works[n]!;
    this.statuses[n] = status;
    for (const line of [this.running[key]!, this.waiting[key]!])
      if (line.includes(n)) line.splice(line.indexOf(n), 1);
    while (this.running[key]!.length < this.#policy.concurrency && this.waiting[key]!.length > 0)
      this.#start(this.waiting[key]!.shift()!);
  }

  #start(n: number): void {
    const { key, ending } = this.works[n]!;
    this.started[key]!.push(n);
    if (ending === "later") this.running[key]!.push(n);
    else this.statuses[n] = ending === "value" ? "fulfilled" : "rejected";
  }
}

type Action =
  | { readonly does: "send"; readonly works: (readonly [key: number, ending: Ending])[] }
  | { readonly does: "end" | "fail" | "timeOut" | "abort" | "abortAll"; readonly pick: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    does: fc.constant("send" as const),
    works: fc.array(
      fc.tuple(fc.nat(2), fc.constantFrom<Ending>("value", "throws", "later", "later", "later")),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  }),
  fc.record({
    does: fc.constantFrom("end", "fail", "timeOut", "abort", "abortAll" as const),
    pick: fc.nat(1_000),
  }),
);

const policy: fc.Arbitrary<Policy> = fc
  .record({
    strategy: fc.constantFrom<Policy["strategy"]>("concat", "merge", "switch", "exhaust"),
    concurrency: fc.integer({ min: 1, max: 4 }),
    maxQueued: fc.constantFrom(0, 1, 3, Infinity),
  })
  .map(({ strategy, concurrency, maxQueued }) => ({
    strategy,
    concurrency: strategy === "concat" || strategy === "switch" ? 1 : concurrency,
    maxQueued: strategy === "concat" || strategy === "merge" ? maxQueued : Infinity,
  }));

const position = fc.constantFrom<Middleware[]>([], [around((_, next) => next())], [tap()]);

describe("overlap, against its model", () => {
  it(
    "73 74 never more than the limit, never idle while something waits, in order per key, each turn given back once",
    () =>
      withTraps(async () => {
        await fc.assert(
          fc.asyncProperty(
            policy,
            position,
            fc.array(action, { maxLength: 40, size: "max" }),
            async (how, outer, actions) => {
              const { strategy, concurrency, maxQueued } = how;
              const queues = strategy === "concat" || strategy === "merge";
              const bus = new CommandBus({
                middleware: [
                  ...outer,
                  overlap<Work>({
                    strategy,
                    concurrency,
                    key: ({ key }) => key,
                    ...(queues && { maxQueued }),
                  }),
                ],
              });
              bus.faults$.subscribe();
              const model = new Model(how);
              const sent: { watched: Watched; controller: AbortController }[] = [];
              const started: number[][] = [[], [], []];
              const contexts: Delivery[] = [];
              const ends: Deferred<void>[] = [];
              const ended = new Set<number>();
              bus.register(Work, ({ n, key, ending }, context) => {
                started[key]!.push(n);
                if (ending === "later") {
                  const running = started[key]!.filter(
                    (other) => contexts[other]?.signal.aborted === false && !ended.has(other),
                  );
                  expect(running.length).toBeLessThan(concurrency);
                  contexts[n] = context as Delivery;
                  const end = (ends[n] = deferred());
                  // Heeds its signal, because a turn lasts until the work has ended.
                  context.signal.addEventListener("abort", () => end.resolve());
                  return end.promise;
                }
                if (ending === "throws") throw new Error(`no ${n}`);
                return undefined;
              });

              for (const [index, step] of actions.entries()) {
                if (step.does === "send") {
                  for (const [key, ending] of step.works) {
                    const work = new Work(sent.length, key, ending);
                    const controller = new AbortController();
                    sent.push({
                      watched: watch(bus.dispatch(work, { signal: controller.signal })),
                      controller,
                    });
                    model.send(work);
                  }
                } else {
                  const running = model.running.flat();
                  const pending = [...running, ...model.waiting.flat()];
                  const from = step.does === "abort" || step.does === "abortAll" ? pending : running;
                  const n = from[step.pick % (from.length || 1)];
                  if (n === undefined) continue;
                  if (step.does === "end" || step.does === "fail") ended.add(n);
                  if (step.does === "end") ends[n]!.resolve();
                  else if (step.does === "fail") ends[n]!.reject(new Error(`no ${n}`));
                  else if (step.does === "timeOut") contexts[n]!.reject(new Error("too late"));
                  else if (step.does === "abort") sent[n]!.controller.abort();
                  else for (const other of pending) sent[other]!.controller.abort();
                  // All are aborted together, so that a waiting message is aborted before it could start.
                  if (step.does === "abortAll")
                    for (const other of [...model.waiting.flat(), ...running])
                      model.settle(other, "rejected");
                  else model.settle(n, step.does === "end" ? "fulfilled" : "rejected");
                }
                // A message that is sent in the same turn must not overtake one that waits for the aborted one.
                const following = actions[index + 1];
                if (step.does === "abort" && following?.does === "send" && queues && maxQueued === Infinity)
                  continue;
                await microtasks();
                expect(started).toEqual(model.started);
                expect(sent.map(({ watched }) => watched.status)).toEqual(model.statuses);
                expect(bus.inFlight).toBe(model.running.flat().length + model.waiting.flat().length);
              }

              for (const { controller } of sent) controller.abort();
              await microtasks();
              expect(sent.every(({ watched }) => watched.settlements === 1)).toBe(true);
              // All turns are free again, and no more than there were.
              let running = 0;
              class After extends Work {}
              bus.register(After, () => {
                running++;
                return new Promise(() => {});
              });
              const stop = new AbortController();
              const after = Array.from({ length: 6 }, () =>
                watch(bus.dispatch(new After(0, 0, "later"), { signal: stop.signal })),
              );
              expect(running).toBe(strategy === "switch" ? 6 : Math.min(concurrency, 6));
              stop.abort();
              await microtasks();
              expect(after.every(({ settlements }) => settlements === 1)).toBe(true);
              for (const end of ends) end?.resolve();
            },
          ),
          { numRuns: 150 },
        );
        await canaries(new CommandBus({ middleware: [overlap({ strategy: "concat" })] }));
      }),
    60_000,
  );
});
