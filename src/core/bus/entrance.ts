import { Observable, Subscription } from "rxjs";

/**
 * The Subject through which messages enter a bus. It calls its one subscriber, the pipeline, directly: RxJS's own Subject copies its list
 * of observers for each value, which would cost a quarter of a dispatch.
 */
// eslint-disable-next-line rxjs-x/no-subclass -- a Subject for one subscriber
export class Entrance<T> extends Observable<T> {
  next: (value: T) => void = () => undefined;

  /** @param next - must not throw, because no RxJS Subscriber catches its errors here */
  override subscribe(next: unknown): Subscription {
    this.next = next as (value: T) => void;
    return new Subscription(() => (this.next = () => undefined));
  }
}
