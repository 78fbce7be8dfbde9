import { Observable, Subscription } from "rxjs";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { Step } from "../pipeline/form.js";

/**
 * The Subject through which messages enter a bus. Its one subscriber is the pipeline, which settles each message
 * with its own errors, so that it can be called directly: RxJS's own Subject copies its list of observers for
 * each value, which would cost a quarter of a dispatch.
 */
// eslint-disable-next-line rxjs-x/no-subclass -- a Subject for one subscriber
export class Entrance extends Observable<LiveDelivery> {
  #pipeline!: Step;

  next(delivery: LiveDelivery): void {
    delivery.run(this.#pipeline);
  }

  override subscribe(pipeline: unknown): Subscription {
    this.#pipeline = pipeline as Step;
    return Subscription.EMPTY;
  }
}
