import { abortError } from "../../core/delivery/abort.js";
import { wasCancelledWith } from "../../core/delivery/cancellation.js";
import { ABORTED, FULFILLED, LATER, type LiveDelivery } from "../../core/delivery/live-delivery.js";
import { afterWork, rememberWork } from "../../core/delivery/unfinished-work.js";
import { keepUntilSettled } from "../../core/pipeline/detached-work.js";
import type { BuildContext, Step } from "../../core/pipeline/form.js";
import { captureContext } from "../../core/util/async-context.js";
import { selfDeadlock } from "../errors.js";
import { joinedRun, nextRunNumber, ownRun } from "./run-order.js";

/**
 * Shared runs by key. A key belongs to one run until the work of that run has ended, even if an abort or a
 * time limit gave the work up, so that a second run never works beside it.
 */
export class KeyedRuns {
  readonly #place: BuildContext;
  readonly #released: ((key: unknown) => void) | undefined;
  readonly #runs = new Map<unknown, SharedRun>();

  /** @param released - called when a key is free again, before a message that waits for the key is admitted */
  constructor(place: BuildContext, released?: (key: unknown) => void) {
    this.#place = place;
    this.#released = released;
  }

  /**
   * Joins the run of the key, or starts one. A message that finds a run that is over but works on waits, and
   * is admitted again by `again`.
   *
   * @returns whether it joined
   * @throws SelfDeadlockError if the run waits for the delivery
   */
  admit(key: unknown, delivery: LiveDelivery, rest: Step, again: () => void): boolean {
    const run = this.#runs.get(key);
    if (run === undefined) {
      this.#start(key, delivery, rest);
      return false;
    }
    if (run.delivery.pending) {
      run.join(delivery);
      return true;
    }
    const scope = captureContext();
    const enter = (): symbol => {
      again();
      return LATER;
    };
    run.whenReleased(() => delivery.runIn(scope, enter));
    return false;
  }

  #start(key: unknown, first: LiveDelivery, rest: Step): void {
    const run = new SharedRun(first, this.#place);
    this.#runs.set(key, run);
    // Release the key before the waiting messages settle. Otherwise a caller that sends again at once would
    // join a run that is over.
    run.whenReleased(() => {
      this.#runs.delete(key);
      this.#released?.(key);
    });
    run.start(rest);
  }
}

/**
 * One run that several deliveries wait for and settle with. An aborted delivery leaves it, and the last to
 * leave aborts it. It runs in the async context of the first, and with its envelope.
 */
export class SharedRun {
  /** A detached fork: reaches the handler, and is not cancelled with any of the deliveries that wait for it. */
  readonly delivery: LiveDelivery;
  readonly #number = nextRunNumber();
  readonly #waiting = new Set<LiveDelivery>();
  readonly #perMessage: boolean;
  /** No middleware above asks which run a result is of. */
  readonly #outermost: boolean;

  constructor(first: LiveDelivery, { perMessage = false, outermost, scope }: BuildContext) {
    this.#perMessage = perMessage;
    // Around a handler, and inside an operator, the outermost one has the middleware of the bus above it.
    this.#outermost = outermost && !perMessage && scope === undefined;
    this.delivery = first.detached();
    // Consume a stream for all callers: they share one result.
    this.delivery.links.consumption = undefined;
    this.#waiting.add(first);
    if (!this.#outermost) ownRun(first);
  }

  start(rest: Step): void {
    if (this.#perMessage) keepUntilSettled(this.delivery);
    for (const first of this.#waiting) this.#leaveWhenSettled(first);
    this.delivery.whenSettled(() => this.#settleAll());
    this.delivery.run(rest);
  }

  join(delivery: LiveDelivery): void {
    this.#refuseSelfDeadlock(delivery);
    this.#waiting.add(delivery);
    if (!this.#outermost) joinedRun(delivery, this.#number);
    this.#leaveWhenSettled(delivery);
  }

  /** Runs `hook` once the run has settled and its work has ended. */
  whenReleased(hook: () => void): void {
    const { delivery } = this;
    delivery.whenSettled(() => {
      // Wait a microtask after an abort: a handler that aborted its own caller returns its promise only then.
      if (delivery.status === ABORTED) void Promise.resolve().then(() => afterWork(delivery, hook));
      else afterWork(delivery, hook);
    });
  }

  #leaveWhenSettled(delivery: LiveDelivery): void {
    delivery.whenSettled(() => {
      if (!this.#waiting.delete(delivery) || this.#waiting.size > 0) return;
      const { status, result, typeName } = delivery.holder;
      this.delivery.abort(
        status === FULFILLED ? abortError(`Every caller that waited for ${typeName} has left.`) : result,
      );
      // Remember the run as work of the last caller, too, so that a middleware further out holds its slot until the
      // run has ended. The work belongs to the first caller's message.
      if (this.delivery.origin !== delivery.origin)
        rememberWork(delivery.origin, new Promise<void>((resolve) => this.whenReleased(resolve)));
    });
  }

  #settleAll(): void {
    const { status, result } = this.delivery;
    for (const delivery of this.#waiting) {
      // Remove it before it settles: a delivery that the run settles does not leave the run.
      this.#waiting.delete(delivery);
      if (status === FULFILLED) delivery.succeed(result);
      else {
        if (wasCancelledWith(this.delivery, result)) delivery.origin.links.cancellation = result;
        delivery.fail(result);
      }
    }
  }

  #refuseSelfDeadlock({ origin }: LiveDelivery): void {
    const itself = this.#perMessage && origin === this.delivery.origin && this.#isAwaitedBy(origin);
    // Fast path: nothing caused the message.
    if (origin.cause === undefined && !itself) return;
    const causes = [...origin.causes()];
    const runner = causes.indexOf(this.delivery.origin);
    if (runner < 0 && !itself) return;
    throw selfDeadlock(itself ? [origin] : causes.slice(0, runner + 1).reverse(), origin);
  }

  /** A middleware may be piped into itself; listed twice, each place has runs of its own. */
  #isAwaitedBy(origin: LiveDelivery): boolean {
    for (const waiting of this.#waiting) if (waiting.origin === origin) return true;
    return false;
  }
}
