import { aFunction, checkOptions, invalidOption, oneOf, required, wholeNumber } from "../core/checks.js";
import { QueueFullError } from "../core/errors.js";
import { isStream } from "../core/delivery/consume-stream.js";
import type { Closeable, PartsDescription } from "../core/delivery/delivery-host.js";
import { dispatchDepth } from "../core/delivery/dispatch-depth.js";
import { FULFILLED, REJECTED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { afterWork } from "../core/delivery/unfinished-work.js";
import { createMiddleware, replying, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { BusyError, selfDeadlock, SupersededError } from "./errors.js";
import { syncKey } from "./internal/key.js";
import { LinkedList, type Linked } from "./internal/linked-list.js";

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
 * A turn ends when the message has settled and its handler's own work has ended, even if an abort or a
 * `timeLimit` gave the work up before; with `"switch"`, the next message does not wait for that. So pass the
 * `signal` on to what the handler waits for: a handler that never ends keeps its turn. Under `ask$` the turn
 * ends with the stream.
 *
 * Deadlocks across keys are not found: where handlers wait for messages of other keys, put a `timeLimit`
 * around it. One `overlap(...)` is one limit per bus, also if it is listed in several places; around handlers, it
 * is one limit per handler.
 *
 * @throws InvalidOptionsError
 * @example
 * // One command at a time per order; of searches, the latest wins.
 * new CommandBus({ middleware: [overlap<OrderCommand>({ strategy: "concat", key: ({ orderId }) => orderId })]
 * }); new QueryBus({ middleware: [when(Search, overlap({ strategy: "switch" }))] });
 */
export function overlap<M extends object = object, R = unknown>(
  options: OverlapOptions<M>,
): Middleware<M, R> {
  const policy = policyOf(options as unknown as OverlapOptions);
  const lanesByScope = new WeakMap<object, Lanes>();
  const name = `overlap(${policy.strategy})`;
  return createMiddleware(
    name,
    (rest, { host, outermost, attach, perMessage = false, scope = host }) => {
      let lanes = lanesByScope.get(scope);
      if (lanes === undefined) {
        lanesByScope.set(scope, (lanes = new Lanes(name, policy)));
        if (perMessage) host.attach(lanes);
      }
      if (!perMessage) attach(lanes);
      return replying((delivery) => lanes.admit(new Turn(delivery, rest)), outermost);
    },
    { passThrough: true },
  );
}

/** The permission of one message to run, in the list of those that run or of those that wait. */
class Turn implements Linked<Turn> {
  declare readonly delivery: LiveDelivery;
  declare readonly rest: Step;
  declare list: LinkedList<Turn> | undefined;
  declare previous: Turn | undefined;
  declare following: Turn | undefined;
  /** The async context of the dispatch, for a message that waits. */
  declare scope: AsyncScope | undefined;

  // Declared above and assigned here, because there is one turn per message, and fields that are defined
  // first cost more.
  constructor(delivery: LiveDelivery, rest: Step) {
    this.delivery = delivery;
    this.rest = rest;
    this.list = undefined;
    this.previous = undefined;
    this.following = undefined;
    this.scope = undefined;
  }

  /**
   * The delivery whose settlement ends this turn: under `ask$` the origin, because its subscriber consumes the
   * stream.
   */
  get holder(): LiveDelivery {
    const { holder: reply, origin } = this.delivery;
    return reply.status === FULFILLED && isStream(reply.result) ? origin : reply;
  }

  /** The message has settled, and its handler does not work on after an abort. */
  get isOver(): boolean {
    return !this.holder.pending && this.delivery.origin.madeLinks?.unfinished === undefined;
  }
}

/** The messages of one key. */
class Lane {
  declare readonly key: unknown;
  declare readonly running: LinkedList<Turn>;
  declare readonly waiting: LinkedList<Turn>;
  declare draining: boolean;
  /** The lane has left the map, so that another lane may have its key. */
  declare forgotten: boolean;

  constructor(key: unknown) {
    this.key = key;
    this.running = new LinkedList();
    this.waiting = new LinkedList();
    this.draining = false;
    this.forgotten = false;
  }
}

/** The lanes of one bus. */
class Lanes implements Closeable {
  readonly #name: string;
  readonly #policy: Policy;
  readonly #lanes = new Map<unknown, Lane>();

  constructor(name: string, policy: Policy) {
    this.#name = name;
    this.#policy = policy;
  }

  describe({ gauges }: PartsDescription): void {
    let [running, waiting] = [0, 0];
    for (const lane of this.#lanes.values()) {
      running += lane.running.length;
      waiting += lane.waiting.length;
    }
    gauges.push({ middleware: this.#name, values: { running, waiting, keys: this.#lanes.size } });
  }

  get policy(): Policy {
    return this.#policy;
  }

  admit(turn: Turn): void {
    try {
      const lane = this.#laneOf(turn.delivery.message);
      if (lane.waiting.length === 0 && lane.running.length < this.#policy.limit) this.run(lane, turn);
      else strategies[this.#policy.strategy](this, lane, turn);
    } catch (error) {
      turn.delivery.fail(error);
    }
  }

  #laneOf(message: object): Lane {
    const key = syncKey("overlap", this.#policy.key(message));
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane(key)));
    return lane;
  }

  run(lane: Lane, turn: Turn): void {
    if (turn.list === undefined) lane.running.add(turn);
    turn.delivery.run(turn.rest);
    this.#leaveWhenSettled(lane, turn);
  }

  wait(lane: Lane, turn: Turn): void {
    turn.scope = captureContext();
    lane.waiting.add(turn);
    this.#leaveWhenSettled(lane, turn);
  }

  #leaveWhenSettled(lane: Lane, turn: Turn): void {
    const { delivery } = turn;
    delivery.whenSettled(() => {
      const { holder } = turn;
      if (holder === delivery.holder) this.#leave(lane, turn, holder);
      else holder.whenSettled(() => this.#leave(lane, turn, holder));
    });
  }

  #leave(lane: Lane, turn: Turn, holder: LiveDelivery): void {
    if (turn.list === lane.waiting) lane.waiting.remove(turn);
    else if (holder.origin.madeLinks?.unfinished === undefined || this.#policy.strategy === "switch")
      this.#release(lane, turn, holder);
    else afterWork(holder, () => this.#release(lane, turn, holder));
  }

  #release(lane: Lane, turn: Turn, { status }: LiveDelivery): void {
    if (turn.list !== lane.running) return;
    lane.running.remove(turn);
    if (lane.waiting.length === 0) this.#forgetIfIdle(lane);
    else if (status === FULFILLED || status === REJECTED) this.#drain(lane);
    // Wait a microtask after an abort: a signal that several messages share, or the end of the bus, aborts
    // the waiting ones next.
    else void Promise.resolve().then(() => this.#drain(lane));
  }

  /**
   * Runs waiting messages as long as there is room. A loop, because messages that end synchronously would nest
   * otherwise.
   */
  #drain(lane: Lane): void {
    if (lane.draining) return;
    lane.draining = true;
    const depth = dispatchDepth.current;
    for (let next; lane.running.length < this.#policy.limit && (next = lane.waiting.first) !== undefined;) {
      lane.waiting.remove(next);
      lane.running.add(next);
      // Restore the depth of the dispatch, because messages that cause each other through the queue must
      // reach maxDepth, too.
      dispatchDepth.current = Math.max(depth, next.delivery.origin.depth);
      // Without a hook: the one that would have taken the turn out of the queue takes it out of the running
      // ones.
      next.delivery.runIn(next.scope, next.rest);
    }
    dispatchDepth.current = depth;
    lane.draining = false;
    this.#forgetIfIdle(lane);
  }

  /** Keeps a lane that is being drained, because a running message may send the next one to it. */
  #forgetIfIdle(lane: Lane): void {
    if (lane.running.length + lane.waiting.length > 0 || lane.draining || lane.forgotten) return;
    lane.forgotten = true;
    this.#lanes.delete(lane.key);
  }
}

/** Runs, queues or rejects a message that finds its lane full. */
type Strategy = (lanes: Lanes, lane: Lane, turn: Turn) => void;

const strategies: { readonly [name in OverlapOptions["strategy"]]: Strategy } = {
  concat: enqueue,
  merge: enqueue,
  switch: supersede,
  exhaust: refuse,
};

function enqueue(lanes: Lanes, lane: Lane, turn: Turn): void {
  const { limit, maxQueued } = lanes.policy;
  refuseSelfDeadlock(lane, turn, limit);
  // After an abort there may be room that the waiting messages take a microtask later.
  const free = Math.max(0, limit - lane.running.length);
  if (lane.waiting.length - free >= maxQueued) throw new QueueFullError(turn.delivery.typeName, maxQueued);
  lanes.wait(lane, turn);
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
  // Outcome observers run before turns are released, and may have sent this message: drop turns that are over
  // first.
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

type Policy = Required<Omit<OverlapOptions, "concurrency">> & { readonly limit: number };

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
  return { strategy, key, maxQueued: maxQueued ?? Infinity, limit: concurrency ?? 1 };
}
