import { BehaviorSubject, distinctUntilChanged, type Observable } from "rxjs";
import type { LinkState } from "./transport.js";

/** The state of a connection as a transport sets it. Use it in a transport of your own. */
export class StateSource {
  readonly #states = new BehaviorSubject<LinkState>("disconnected");
  /** Emits the present state first, then each change, and completes after `closed`. */
  readonly state$: Observable<LinkState> = this.#states.pipe(distinctUntilChanged());

  get current(): LinkState {
    return this.#states.value;
  }

  set(state: LinkState): void {
    // Closed is final.
    if (this.#states.value === "closed") return;
    this.#states.next(state);
    if (state === "closed") this.#states.complete();
  }
}
