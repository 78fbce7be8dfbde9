import { isStream } from "../../core/delivery/consume-stream.js";
import type { Closeable, PartsDescription } from "../../core/delivery/delivery-host.js";
import { dispatchDepth } from "../../core/delivery/dispatch-depth.js";
import { FULFILLED, REJECTED, type LiveDelivery } from "../../core/delivery/live-delivery.js";
import { afterWork } from "../../core/delivery/unfinished-work.js";
import type { Step } from "../../core/pipeline/form.js";
import { captureContext, type AsyncScope } from "../../core/util/async-context.js";
import { syncKey } from "./key.js";
import { LinkedList, type Linked } from "./linked-list.js";

export interface Policy {
  readonly key: (message: never) => unknown;
  /** How many messages of one key run at a time. */
  readonly limit: number;
  /** How many messages of one key wait at most. */
  readonly maxQueued: number;
  /** True if a turn lasts until the handler's own work has ended, even after an abort or a time limit. */
  readonly waitsForWork: boolean;
}

/** Runs, queues or rejects a message that finds its lane full. */
export type Strategy = (lanes: Lanes, lane: Lane, turn: Turn) => void;

/** The permission of one message to run, in the list of those that run or of those that wait. */
export class Turn implements Linked<Turn> {
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
   * The delivery whose settlement ends this turn: under `ask$` the origin, because its subscriber consumes the stream.
   */
  get holder(): LiveDelivery {
    const { holder: reply, origin } = this.delivery;
    return reply.status === FULFILLED && isStream(reply.result) ? origin : reply;
  }

  /** True if the message has settled, and its handler does not work on after an abort. */
  get isOver(): boolean {
    return !this.holder.pending && this.delivery.origin.madeLinks?.unfinished === undefined;
  }
}

/** The messages of one key. */
export class Lane {
  declare readonly key: unknown;
  declare readonly running: LinkedList<Turn>;
  declare readonly waiting: LinkedList<Turn>;
  declare draining: boolean;
  /** True if the lane has left the map, so that another lane may have its key. */
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
export class Lanes implements Closeable {
  readonly #name: string;
  readonly #policy: Policy;
  readonly #strategy: Strategy;
  readonly #lanes = new Map<unknown, Lane>();

  constructor(name: string, policy: Policy, strategy: Strategy) {
    this.#name = name;
    this.#policy = policy;
    this.#strategy = strategy;
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
      else this.#strategy(this, lane, turn);
    } catch (error) {
      turn.delivery.fail(error);
    }
  }

  #laneOf(message: object): Lane {
    const key = syncKey("overlap", this.#policy.key(message as never));
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
    else if (holder.origin.madeLinks?.unfinished === undefined || !this.#policy.waitsForWork)
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
   * Runs waiting messages as long as there is room. It is a loop, because messages that end synchronously would
   * overflow the stack otherwise.
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
      // Add no hook: the one of wait() is called when the delivery settles, and takes it out of the running ones.
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
