// A job is one more way in: a timer that asks the same buses.
import { catchError, EMPTY, exhaustMap, Observable, type Subscription } from "rxjs";
import type { Logger } from "pino";
import type { Buses } from "./buses.js";
import { ListUsers } from "./messages.js";

/** Logs at once, and from then on now and then, how many users there are. Unsubscribing stops it, together with a run that is under way. */
export function startUserCount({ queryBus }: Buses, logger: Logger, everyMs = 60_000): Subscription {
  return ticks(everyMs)
    .pipe(
      exhaustMap(() => queryBus.ask$(new ListUsers()).pipe(catchError(() => EMPTY))), // the buses log failures
    )
    .subscribe((users) => logger.info({ users: users.length }, "user count"));
}

/** Like RxJS's timer(0, everyMs), with a timer that does not keep the process alive. */
function ticks(everyMs: number): Observable<void> {
  return new Observable((subscriber) => {
    subscriber.next();
    const timer = setInterval(() => subscriber.next(), everyMs).unref();
    return () => clearInterval(timer);
  });
}
