import { createMiddleware, replying, type Step } from "../core/pipeline/form.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { FULFILLED, REJECTED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import type { DeliveryHost } from "../core/delivery/delivery-host.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { dispatchDepth } from "../core/delivery/dispatch-depth.js";
import { isStream } from "../core/delivery/consume-stream.js";
import { notPromised } from "./internal/key.js";
import { checkOptions, refuseOption } from "./internal/options.js";
import { BusyError, QueueFullError, SelfDeadlockError, SupersededError } from "./errors.js";

export interface OverlapOptions<M = object> {
  /**
   * What becomes of a message that comes while others run, in RxJS's words: `"concat"` queues it and runs one at a time; `"merge"` runs
   * `concurrency` at a time and queues the others; `"switch"` aborts the one that runs, so that the latest wins; `"exhaust"` refuses it.
   */
  readonly strategy: "concat" | "merge" | "switch" | "exhaust";
  /** Messages with different keys do not concern each other. Keys are compared as those of a `Map`. @defaultValue one key for the whole bus */
  readonly key?: (message: M) => unknown;
  /** How many run at a time: required for `"merge"`; for `"exhaust"` 1 unless told otherwise; always 1 for the other two. */
  readonly concurrency?: number;
  /** For `"concat"` and `"merge"`: how many may wait per key before further ones are refused. @defaultValue Infinity */
  readonly maxQueued?: number;
}

/**
 * Decides what happens to messages that overlap: on the whole bus, or per key.
 *
 * Guarantees: never more at a time than the strategy allows; the queue of a key keeps its order, and whoever is aborted leaves it. Who loses its
 * turn is rejected at once: with `SupersededError` (whose `signal` is aborted as well), `BusyError`, or `QueueFullError`; and with `SelfDeadlockError` if
 * it would wait for a message that it was `causedBy`. A message that may run at once runs synchronously; one that waited runs in the async context
 * of its own dispatch. Keys that are idle cost nothing.
 *
 * Two messages that each wait for one that waits behind the other are not noticed, only a message that waits behind its own causes: put a
 * `timeLimit` around it where handlers wait for messages of other keys.
 *
 * A message's turn ends when it is settled, under `ask$` with the end of its stream. An aborted message is settled, even if its handler does not
 * heed its `signal` and still works: pass the signal on to what the handler waits for. One `overlap(...)` is one limit per bus, also where it is
 * used in several places of it.
 *
 * @example
 * // One command at a time per order; of searches, the latest wins.
 * new CommandBus({ middleware: [overlap<OrderCommand>({ strategy: "concat", key: ({ orderId }) => orderId })] });
 * new QueryBus({ middleware: [when(Search, overlap({ strategy: "switch" }))] });
 */
export function overlap<M extends object = object, R = unknown>(
  options: OverlapOptions<M>,
): Middleware<M, R> {
  const policy = checked(options as unknown as OverlapOptions);
  const lanesOf = new WeakMap<DeliveryHost, Lanes>();
  return createMiddleware(
    `overlap(${policy.strategy})`,
    (rest, { host, outermost }) => {
      let lanes = lanesOf.get(host);
      if (lanes === undefined) lanesOf.set(host, (lanes = new Lanes(policy)));
      return replying((delivery) => lanes.admit(new Turn(delivery, rest)), outermost);
    },
    { passThrough: true },
  );
}

/** A message and its place in the list of those that run or of those that wait. */
class Turn {
  declare readonly delivery: LiveDelivery;
  declare readonly rest: Step;
  declare line: Line | undefined;
  declare previous: Turn | undefined;
  declare following: Turn | undefined;
  /** Of one that waited. */
  declare scope: AsyncScope | undefined;

  // Declared above and assigned here, because there is one for each message, and fields that are defined first cost more.
  constructor(delivery: LiveDelivery, rest: Step) {
    this.delivery = delivery;
    this.rest = rest;
    this.line = undefined;
    this.previous = undefined;
    this.following = undefined;
    this.scope = undefined;
  }

  /** What is settled when this turn is over: a stream that was handed up is consumed by whoever asked. */
  get holder(): LiveDelivery {
    const { reply, origin } = this.delivery;
    return reply.status === FULFILLED && isStream(reply.result) ? origin : reply;
  }
}

/** Turns in order. A list, because whoever is aborted leaves from the middle, and a Set is slow to find its first entry when many have left. */
class Line {
  declare length: number;
  declare first: Turn | undefined;
  declare private last: Turn | undefined;

  constructor() {
    this.length = 0;
    this.first = undefined;
    this.last = undefined;
  }

  add(turn: Turn): void {
    turn.line = this;
    turn.previous = this.last;
    if (this.last === undefined) this.first = turn;
    else this.last.following = turn;
    this.last = turn;
    this.length++;
  }

  remove(turn: Turn): void {
    const { previous, following } = turn;
    if (previous === undefined) this.first = following;
    else previous.following = following;
    if (following === undefined) this.last = previous;
    else following.previous = previous;
    turn.line = turn.previous = turn.following = undefined;
    this.length--;
  }

  *[Symbol.iterator](): Generator<Turn> {
    for (let turn = this.first; turn !== undefined; turn = turn.following) yield turn;
  }
}

/** The messages of one key. */
class Lane {
  declare readonly key: unknown;
  declare readonly running: Line;
  declare readonly waiting: Line;
  declare draining: boolean;
  /** Another one may have taken its place. */
  declare forgotten: boolean;

  constructor(key: unknown) {
    this.key = key;
    this.running = new Line();
    this.waiting = new Line();
    this.draining = false;
    this.forgotten = false;
  }
}

/** All keys of one bus. */
class Lanes {
  readonly #policy: Policy;
  readonly #lanes = new Map<unknown, Lane>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  admit(turn: Turn): void {
    try {
      const lane = this.#laneOf(turn.delivery.message);
      if (lane.waiting.length > 0 || this.#isFull(lane)) this.#contend(lane, turn);
      else this.#run(lane, turn);
    } catch (error) {
      turn.delivery.fail(error);
    }
  }

  #laneOf(message: object): Lane {
    const key = notPromised("overlap", this.#policy.key(message));
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane(key)));
    return lane;
  }

  #isFull({ running }: Lane): boolean {
    const { limit, queues } = this.#policy;
    if (running.length < limit) return false;
    if (queues) return true;
    // Whoever hears of an outcome hears of it before this does, and may already send the next message.
    for (const turn of [...running]) if (!turn.holder.pending) running.remove(turn);
    return running.length >= limit;
  }

  /** There is no room: queues the message, makes room for it, or throws what it is refused with. */
  #contend(lane: Lane, turn: Turn): void {
    const { strategy, limit, maxQueued } = this.#policy;
    const { delivery } = turn;
    if (strategy === "exhaust") throw new BusyError(delivery.typeName, limit);
    refuseSelfDeadlock(lane, turn, limit);
    if (strategy === "switch") {
      const older = [...lane.running];
      // First, so that one that is sent while they are aborted wins over this one.
      lane.running.add(turn);
      for (const { holder } of older) holder.abort(new SupersededError(holder.typeName));
      this.#run(lane, turn);
      return;
    }
    // After an abort, some of those that wait have their turn and only have not begun.
    const free = Math.max(0, limit - lane.running.length);
    if (lane.waiting.length - free >= maxQueued) throw new QueueFullError(delivery.typeName, maxQueued);
    turn.scope = captureContext();
    lane.waiting.add(turn);
    this.#leaveWhenSettled(lane, turn);
  }

  #run(lane: Lane, turn: Turn): void {
    if (turn.line === undefined) lane.running.add(turn);
    turn.delivery.run(turn.rest);
    this.#leaveWhenSettled(lane, turn);
  }

  #leaveWhenSettled(lane: Lane, turn: Turn): void {
    const { delivery } = turn;
    delivery.whenSettled(() => {
      const { holder } = turn;
      if (holder === delivery.reply) this.#leave(lane, turn, holder.status);
      else holder.whenSettled(() => this.#leave(lane, turn, holder.status));
    });
  }

  #leave(lane: Lane, turn: Turn, status: LiveDelivery["status"]): void {
    const { line } = turn;
    line?.remove(turn);
    if (line !== lane.running) return;
    if (lane.waiting.length === 0) this.#forgetIfIdle(lane);
    // What aborts one message may be about to abort those that wait for it, too: a signal that they share, or the end of the bus.
    else if (status === FULFILLED || status === REJECTED) this.#drain(lane);
    else void Promise.resolve().then(() => this.#drain(lane));
  }

  /** Runs what waits as long as there is room; a loop, however many of them end synchronously. */
  #drain(lane: Lane): void {
    if (lane.draining) return;
    lane.draining = true;
    const depth = dispatchDepth.current;
    for (let next; lane.running.length < this.#policy.limit && (next = lane.waiting.first) !== undefined;) {
      lane.waiting.remove(next);
      lane.running.add(next);
      // As deep as when it was sent: messages that cause each other by way of the queue must reach maxDepth, too.
      dispatchDepth.current = Math.max(depth, next.delivery.origin.depth);
      // It leaves as it would have left the queue: it has been told to already.
      next.delivery.runIn(next.scope, next.rest);
    }
    dispatchDepth.current = depth;
    lane.draining = false;
    this.#forgetIfIdle(lane);
  }

  /** Not while it is drained: it would be made anew for a message that is sent by one that runs. */
  #forgetIfIdle(lane: Lane): void {
    if (lane.running.length + lane.waiting.length > 0 || lane.draining || lane.forgotten) return;
    lane.forgotten = true;
    this.#lanes.delete(lane.key);
  }
}

/** Refuses a message that could run only after what it was caused by, which waits for it. */
function refuseSelfDeadlock({ running }: Lane, { delivery, rest }: Turn, limit: number): void {
  if (running.length < limit) return;
  const { origin } = delivery;
  // Nearly always: nothing caused it, and a stranger runs.
  if (origin.cause === undefined && running.first?.delivery.origin !== origin) return;
  const causes = [...delivery.causes()];
  let furthest = -1;
  for (let other = running.first; other !== undefined; other = other.following) {
    const holder = other.delivery.origin;
    // The message itself holds a turn where the same overlap() is used twice, one inside the other.
    if (holder === origin ? other.rest === rest : !causes.includes(holder)) return;
    furthest = Math.max(furthest, causes.indexOf(holder));
  }
  const chain = [...(furthest < 0 ? [origin] : causes.slice(0, furthest + 1).reverse()), origin];
  throw new SelfDeadlockError(
    delivery.typeName,
    chain.map((link) => ({ messageType: link.typeName, id: link.id })),
  );
}

type Policy = Required<OverlapOptions> & { readonly limit: number; readonly queues: boolean };

function checked(options: OverlapOptions): Policy {
  const refuse = (problem: string, received: unknown): never => refuseOption("overlap", problem, received);
  checkOptions("overlap", options);
  const { strategy, key, concurrency, maxQueued } = options;
  const isCount = (value: number, least: number): boolean =>
    value >= least && (Number.isInteger(value) || value === Infinity);

  if (!["concat", "merge", "switch", "exhaust"].includes(strategy))
    refuse('strategy is "concat", "merge", "switch" or "exhaust"', strategy);
  if (key !== undefined && typeof key !== "function") refuse("key is a function of the message", key);
  const queues = strategy === "concat" || strategy === "merge";
  const counted = strategy === "merge" || strategy === "exhaust";
  if (strategy === "merge" && concurrency === undefined)
    refuse("merge needs a concurrency, how many run at a time", concurrency);
  if (concurrency !== undefined && !(counted ? isCount(concurrency, 1) : concurrency === 1))
    refuse(counted ? "concurrency is a whole number from 1" : `${strategy} runs one at a time`, concurrency);
  if (maxQueued !== undefined && !(queues && isCount(maxQueued, 0)))
    refuse(
      queues ? "maxQueued is a whole number from 0" : `${strategy} has no queue for maxQueued`,
      maxQueued,
    );
  return {
    strategy,
    key: key ?? (() => undefined),
    concurrency: concurrency ?? 1,
    maxQueued: maxQueued ?? Infinity,
    limit: concurrency ?? 1,
    queues,
  };
}
