import { aFunction, checkOptions, invalidOption, oneOf, required, wholeNumber } from "../core/checks.js";
import { QueueFullError } from "../core/errors.js";
import { createMiddleware, replying } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { BusyError, selfDeadlock, SupersededError } from "./errors.js";
import { Lanes, Turn, type Lane, type Policy, type Strategy } from "./internal/lanes.js";

export interface OverlapOptions<M = object> {
  /**
   * Fate of a message that arrives while others run, in RxJS's words: `"concat"` queues it and runs one at a
   * time; `"merge"` runs `concurrency` at a time and queues the rest; `"switch"` aborts the running one, so
   * that the latest wins; `"exhaust"` rejects it.
   */
  readonly strategy: "concat" | "merge" | "switch" | "exhaust";
  /**
   * Returns the key of a message; messages with different keys do not affect each other. Compared as `Map` does.
   * @defaultValue one key for the bus
   */
  readonly key?: (message: M) => unknown;
  /**
   * Number of messages that run at a time: required for `"merge"`, 1 by default for `"exhaust"`, always 1 for
   * the other two.
   */
  readonly concurrency?: number;
  /**
   * For `"concat"` and `"merge"`: number of messages that may wait per key; further ones are rejected.
   * @defaultValue Infinity
   */
  readonly maxQueued?: number;
}

/**
 * Decides what happens to messages that overlap: on the whole bus, or per key.
 *
 * Guarantees:
 * - Never more run at a time than the strategy allows. The queue of a key keeps its order, and an aborted
 *   message leaves it.
 * - A message that loses its turn is rejected at once: with `SupersededError` (and its `signal` aborted),
 *   `BusyError` or `QueueFullError`; with `SelfDeadlockError` if it would wait for a message that it was
 *   `causedBy`.
 * - A message that may run at once runs synchronously. One that waited runs in the async context of its own
 *   dispatch.
 * - Idle keys take no memory.
 *
 * A turn ends when the message has settled and its handler's own work has ended, even if an abort or a `timeLimit` gave
 * the work up before; with `"switch"`, the next message does not wait for that. So pass the `signal` on to what the
 * handler waits for: a handler that never ends keeps its turn. Under `ask$` the turn ends with the stream.
 *
 * Deadlocks across keys are not found: where handlers wait for messages of other keys, put a `timeLimit`
 * around it. One `overlap(...)` is one limit per bus, also if it is listed in several places; around handlers, it
 * is one limit per handler.
 *
 * @throws InvalidOptionsError
 * @example
 * // One command at a time per order; of searches, the latest wins.
 * const perOrder = overlap<OrderCommand>({ strategy: "concat", key: ({ orderId }) => orderId });
 * new CommandBus({ middleware: [perOrder] });
 * new QueryBus({ middleware: [when(Search, overlap({ strategy: "switch" }))] });
 */
export function overlap<M extends object = object, R = unknown>(
  options: OverlapOptions<M>,
): Middleware<M, R> {
  const policy = policyOf(options as unknown as OverlapOptions);
  const { strategy } = options;
  const lanesByScope = new WeakMap<object, Lanes>();
  const name = `overlap(${strategy})`;
  return createMiddleware(
    name,
    (rest, { host, outermost, attach, perMessage = false, scope = host }) => {
      let lanes = lanesByScope.get(scope);
      if (lanes === undefined) {
        lanesByScope.set(scope, (lanes = new Lanes(name, policy, strategies[strategy])));
        if (perMessage) host.attach(lanes);
      }
      if (!perMessage) attach(lanes);
      return replying((delivery) => lanes.admit(new Turn(delivery, rest)), outermost);
    },
    { passThrough: true },
  );
}

const strategies: { readonly [name in OverlapOptions["strategy"]]: Strategy } = {
  concat: enqueue,
  merge: enqueue,
  switch: supersede,
  exhaust: refuse,
};

function enqueue(lanes: Lanes, lane: Lane, turn: Turn): void {
  const { limit, maxQueued } = lanes.policy;
  refuseSelfDeadlock(lane, turn, limit);
  // Count free slots, because the waiting messages take those of an aborted message a microtask later.
  const { length } = lane.waiting;
  if (length >= maxQueued && length - freeSlots(lane, limit) >= maxQueued)
    throw new QueueFullError(turn.delivery.typeName, maxQueued);
  lanes.wait(lane, turn);
}

/** Counts slots of turns that are over, too: outcome observers run before turns are released, and may send. */
function freeSlots({ running }: Lane, limit: number): number {
  let taken = 0;
  for (const turn of running) if (!turn.isOver) taken++;
  return Math.max(0, limit - taken);
}

function supersede(lanes: Lanes, lane: Lane, turn: Turn): void {
  for (const running of [...lane.running]) if (!running.holder.pending) lane.running.remove(running);
  refuseSelfDeadlock(lane, turn, lanes.policy.limit);
  const older = [...lane.running];
  // Take the turn before aborting the older message, so that a message that is sent while it is aborted wins
  // over this one.
  lane.running.add(turn);
  for (const { holder } of older) holder.cancel(new SupersededError(holder.typeName));
  lanes.run(lane, turn);
}

function refuse(lanes: Lanes, lane: Lane, turn: Turn): void {
  const { limit } = lanes.policy;
  // Outcome observers run before turns are released, and may have sent this message: drop turns that are over first.
  for (const running of [...lane.running]) if (running.isOver) lane.running.remove(running);
  if (lane.running.length >= limit) throw new BusyError(turn.delivery.typeName, limit);
  lanes.run(lane, turn);
}

/** Throws if the message could run only after messages that it was caused by, because they wait for it. */
function refuseSelfDeadlock({ running }: Lane, { delivery, rest }: Turn, limit: number): void {
  if (running.length < limit) return;
  const { origin } = delivery;
  // Fast path: nothing caused the message, and the message does not run itself.
  if (origin.cause === undefined && running.first?.delivery.origin !== origin) return;
  const causes = [...delivery.causes()];
  let furthest = -1;
  for (const other of running) {
    const holder = other.delivery.origin;
    // The message itself has a turn if the same overlap() is listed twice, one inside the other.
    if (holder === origin ? other.rest === rest : !causes.includes(holder)) return;
    furthest = Math.max(furthest, causes.indexOf(holder));
  }
  throw selfDeadlock(furthest < 0 ? [origin] : causes.slice(0, furthest + 1).reverse(), origin);
}

function policyOf(options: OverlapOptions): Policy {
  const source = "overlap()";
  checkOptions<OverlapOptions>(source, options, {
    strategy: required(oneOf("concat", "merge", "switch", "exhaust")),
    key: aFunction,
    concurrency: wholeNumber(1),
    maxQueued: wholeNumber(0),
  });
  const { strategy, key = () => undefined, concurrency, maxQueued } = options;
  if (strategy === "merge" && concurrency === undefined)
    throw invalidOption(source, "concurrency", 'given with strategy "merge"', concurrency);
  if ((strategy === "concat" || strategy === "switch") && (concurrency ?? 1) !== 1)
    throw invalidOption(source, "concurrency", `1 with strategy "${strategy}"`, concurrency);
  if ((strategy === "switch" || strategy === "exhaust") && maxQueued !== undefined)
    throw invalidOption(
      source,
      "maxQueued",
      `left out with strategy "${strategy}", which has no queue`,
      maxQueued,
    );
  return {
    key,
    limit: concurrency ?? 1,
    maxQueued: maxQueued ?? Infinity,
    waitsForWork: strategy !== "switch",
  };
}
