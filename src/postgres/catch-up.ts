import { merge, type Observable, type Subscription } from "rxjs";
import { startTimer } from "../core/util/timers.js";
import type { Database } from "./database.js";
import { NotCaughtUpError } from "./errors.js";
import type { Appended } from "./stored-message.js";

/** The part of a feed that tells when to look again. */
interface Moving {
  readonly committed$: Observable<number>;
  readonly state$: Observable<string> & { readonly value: string };
}

/** Waits until a feed has handled some events, in whichever process it runs. */
export class CatchUp {
  readonly #name: string;
  readonly #ids: string;
  readonly #db: Database;
  readonly #feed: Moving;

  constructor(name: string, { envelopes }: Appended, db: Database, feed: Moving) {
    this.#name = name;
    this.#ids = JSON.stringify(envelopes.map(({ meta }) => meta.id));
    this.#db = db;
    this.#feed = feed;
  }

  async within(timeoutMs: number, pollMs: number): Promise<void> {
    if (this.#db.current() !== undefined)
      throw new NotCaughtUpError(
        this.#name,
        "cannot see events of a transaction that is still open; wait for it after the commit.",
      );
    let timedOut = false;
    let look: () => void = () => undefined;
    const stopTimer = startTimer(
      timeoutMs,
      () => {
        timedOut = true;
        look();
      },
      { keepAlive: true },
    );
    const moves: Subscription = merge(this.#feed.committed$, this.#feed.state$).subscribe({
      next: () => look(),
      error: () => undefined,
    });
    try {
      while (!(await this.#hasHandled())) {
        if (timedOut)
          throw new NotCaughtUpError(
            this.#name,
            `did not handle the events within ${timeoutMs} ms; it goes on.`,
          );
        if (this.#feed.state$.value === "stopped")
          throw new NotCaughtUpError(this.#name, "has stopped in this process; see its faults$.");
        await new Promise<void>((resolve) => {
          const stop = startTimer(pollMs, resolve, { keepAlive: true });
          look = () => {
            stop();
            resolve();
          };
          if (timedOut) look();
        });
      }
    } finally {
      moves.unsubscribe();
      stopTimer();
    }
  }

  async #hasHandled(): Promise<boolean> {
    const { schema } = this.#db;
    const { rows } = await this.#db.query(
      `select coalesce(bool_and(position is not null and position <= (
  select position from ${schema}.checkpoints where name = $1
)), true) as handled from ${schema}.events where message_id in (select json_array_elements_text($2::text::json))`,
      [this.#name, this.#ids],
    );
    return (rows[0] as { handled: boolean }).handled;
  }
}
