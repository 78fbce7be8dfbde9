import type { LiveDelivery } from "../delivery/live-delivery.js";

/**
 * The messages that a bus has accepted and not settled. Those that were not settled synchronously are neighbours in a list, oldest first:
 * joining and leaving it costs less than a Set's bookkeeping, however many there are.
 */
export class InFlight {
  /** All of them, those that are running synchronously right now included. */
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
