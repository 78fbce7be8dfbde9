import type { BuildContext, Step } from "../../core/pipeline/form.js";
import { abortError } from "../../core/delivery/abort.js";
import { FULFILLED, type LiveDelivery } from "../../core/delivery/live-delivery.js";
import { keepUntilSettled } from "../../core/pipeline/detached-work.js";
import { SelfDeadlockError } from "../errors.js";

/**
 * One run that several deliveries wait for, and all end as it ends. Whoever is aborted leaves it, and the last to leave aborts it.
 * It runs in the async context of the first, and with its envelope.
 */
export class SharedRun {
  /** Reaches the handler; belongs to none of those that wait. */
  readonly delivery: LiveDelivery;
  readonly #waiting = new Set<LiveDelivery>();
  readonly #perMessage: boolean;

  constructor(first: LiveDelivery, { perMessage = false }: BuildContext) {
    this.#perMessage = perMessage;
    this.delivery = first.detached();
    // One result for all: a stream is consumed for it.
    this.delivery.links.consumption = undefined;
    this.#waiting.add(first);
  }

  start(rest: Step): void {
    if (this.#perMessage) keepUntilSettled(this.delivery);
    for (const first of this.#waiting) this.#leaveWhenSettled(first);
    this.delivery.whenSettled(() => this.#end());
    this.delivery.run(rest);
  }

  /** @throws SelfDeadlockError when the run waits for the delivery. */
  join(delivery: LiveDelivery): void {
    this.#refuseSelfDeadlock(delivery);
    this.#waiting.add(delivery);
    this.#leaveWhenSettled(delivery);
  }

  #leaveWhenSettled(delivery: LiveDelivery): void {
    delivery.whenSettled(() => {
      if (!this.#waiting.delete(delivery) || this.#waiting.size > 0) return;
      const { status, result, typeName } = delivery.reply;
      this.delivery.abort(
        status === FULFILLED ? abortError(`Nobody waits for ${typeName} any more.`) : result,
      );
    });
  }

  #end(): void {
    const { status, result } = this.delivery;
    for (const delivery of this.#waiting) {
      // First: whoever is settled by the run does not leave it.
      this.#waiting.delete(delivery);
      if (status === FULFILLED) delivery.resolve(result);
      else delivery.fail(result);
    }
  }

  #refuseSelfDeadlock({ origin }: LiveDelivery): void {
    const itself = this.#perMessage && origin === this.delivery.origin && this.#isAwaitedBy(origin);
    // Nearly always.
    if (origin.cause === undefined && !itself) return;
    const causes = [...origin.causes()];
    const runner = causes.indexOf(this.delivery.origin);
    if (runner < 0 && !itself) return;
    const chain = [...(itself ? [origin] : causes.slice(0, runner + 1).reverse()), origin];
    throw new SelfDeadlockError(
      origin.typeName,
      chain.map((link) => ({ messageType: link.typeName, id: link.id })),
    );
  }

  /** One and the same middleware may be piped into itself; elsewhere that is two, each with runs of its own. */
  #isAwaitedBy(origin: LiveDelivery): boolean {
    for (const waiting of this.#waiting) if (waiting.origin === origin) return true;
    return false;
  }
}
