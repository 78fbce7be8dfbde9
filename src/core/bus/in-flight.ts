import type { LiveDelivery } from "../delivery/live-delivery.js";

/**
 * The messages that a bus has accepted and not settled. Messages that did not settle synchronously are neighbours
 * in a linked list, oldest first, because joining and leaving a list costs less than a Set's bookkeeping.
 */
export class InFlight {
  /** Counts all of them, including those that run synchronously right now. */
  count = 0;
  #newest: LiveDelivery | undefined = undefined;

  join(delivery: LiveDelivery): void {
    const newest = this.#newest;
    delivery.previous = newest;
    if (newest !== undefined) newest.following = delivery;
    this.#newest = delivery;
  }

  leave(delivery: LiveDelivery): void {
    this.count--;
    const { previous, following } = delivery;
    if (previous !== undefined) previous.following = following;
    if (following !== undefined) following.previous = previous;
    else if (this.#newest === delivery) this.#newest = previous;
    delivery.previous = delivery.following = undefined;
  }

  toArray(): LiveDelivery[] {
    const all: LiveDelivery[] = [];
    for (let delivery = this.#newest; delivery !== undefined; delivery = delivery.previous)
      all.push(delivery);
    return all.reverse();
  }
}
