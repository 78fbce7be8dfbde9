import type { Observable } from "rxjs";
import { Broadcast } from "../core/util/broadcast.js";
import type { Fault } from "../core/delivery/outcome.js";
import type { Envelope } from "../core/messages/envelope.js";
import { reportUnhandled } from "../core/util/report-unhandled.js";

/** The faults of a feed or a worker. Without a subscriber they go to the console, at most one a second. */
export class Faults {
  readonly #source: string;
  readonly #faults: Broadcast<Fault>;

  constructor(source: string) {
    this.#source = source;
    this.#faults = new Broadcast<Fault>((error) => reportUnhandled(source, error));
  }

  get stream(): Observable<Fault> {
    return this.#faults.stream;
  }

  report(error: unknown, envelope?: Envelope): void {
    if (this.#faults.observed)
      this.#faults.next({
        kind: "durable",
        source: this.#source,
        error,
        ...(envelope === undefined ? {} : { envelope }),
      });
    else reportUnhandled(this.#source, error);
  }

  complete(): void {
    this.#faults.complete();
  }
}
