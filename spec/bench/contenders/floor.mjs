/**
 * The least bus that one can write by hand: a promise that abort and close can settle, and a list of the messages in flight.
 *
 * It has neither checks nor middleware, observers, envelopes or cancellation of effects. A handler gets the signal only.
 */
export class FloorBus {
  #handlers = new Map();
  #newest = undefined;
  #closed = false;

  register(type, handler) {
    this.#handlers.set(type, handler);
  }

  dispatch(message, signal) {
    const handler = this.#handlers.get(message.constructor);
    if (handler === undefined) return Promise.reject(new Error(`no handler of ${message.constructor.name}`));
    if (this.#closed) return Promise.reject(new Error("closed"));
    const delivery = new FloorDelivery(this, message);
    signal?.addEventListener("abort", () => delivery.settle(false, signal.reason), { once: true });
    delivery.run(handler);
    if (delivery.pending) this.#join(delivery);
    return delivery.promise();
  }

  close(reason) {
    this.#closed = true;
    for (let delivery = this.#newest; delivery !== undefined; delivery = delivery.older)
      delivery.settle(false, reason);
  }

  #join(delivery) {
    const newest = this.#newest;
    delivery.older = newest;
    if (newest !== undefined) newest.newer = delivery;
    this.#newest = delivery;
  }

  leave(delivery) {
    const { older, newer } = delivery;
    if (older !== undefined) older.newer = newer;
    if (newer !== undefined) newer.older = older;
    else if (this.#newest === delivery) this.#newest = older;
  }
}

class FloorDelivery {
  constructor(bus, message) {
    this.bus = bus;
    this.message = message;
    this.pending = true;
    this.fulfilled = false;
    this.result = undefined;
    this.older = undefined;
    this.newer = undefined;
    this.resolve = undefined;
    this.reject = undefined;
  }

  run(handler) {
    try {
      const result = handler(this.message, this);
      if (result instanceof Promise)
        result.then(
          (value) => this.settle(true, value),
          (error) => this.settle(false, error),
        );
      else this.settle(true, result);
    } catch (error) {
      this.settle(false, error);
    }
  }

  promise() {
    if (this.pending)
      return new Promise((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      });
    return this.fulfilled ? Promise.resolve(this.result) : Promise.reject(this.result);
  }

  settle(fulfilled, result) {
    if (!this.pending) return;
    this.pending = false;
    this.fulfilled = fulfilled;
    this.result = result;
    this.bus.leave(this);
    if (this.resolve === undefined) return;
    if (fulfilled) this.resolve(result);
    else this.reject(result);
  }
}
