import type { Observable, Subscription } from "rxjs";

/** Subscribes to a stream of the core, none of which ever fails. */
export function follow<T>(stream: Observable<T>, next: (value: T) => void): Subscription {
  // eslint-disable-next-line rxjs-x/no-ignored-error -- failures of buses and deliveries are values
  return stream.subscribe(next);
}
