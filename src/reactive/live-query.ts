import { Observable } from "rxjs";
import { abortOn } from "../core/delivery/abort.js";
import type { Engine } from "../core/bus/engine.js";
import type { Headers } from "../core/messages/envelope.js";
import { catchObserverErrors } from "../core/util/guarded-observable.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { messageKey } from "../core/messages/message-key.js";
import { iterateLatest } from "./latest-iterator.js";
import { SharedQuery } from "./shared-query.js";
import { checkedOptions, Watcher, type WatchOptions } from "./watcher.js";

/**
 * The results of a query, now and after each change.
 *
 * Also an async iterable: `for await` reads the latest result and skips those in between; `break` unsubscribes.
 */
export type LiveQuery<R> = Observable<R> & AsyncIterable<R>;

const shared = new WeakMap<Engine, Map<unknown, SharedQuery>>();

export function liveQuery(engine: Engine, query: object, options: WatchOptions<never>): LiveQuery<never> {
  const checked = checkedOptions(options);
  const report = (source: string, error: unknown): void => engine.report({ kind: "observer", source, error });
  const values$ = new Observable<unknown>((subscriber) => {
    const watcher = new Watcher(subscriber, checked, report);
    const { signal } = watcher.options;
    if (signal !== undefined)
      subscriber.add(abortOn(signal, { cancel: (reason) => subscriber.error(reason) }));
    if (subscriber.closed) return;
    const live = sharedQuery(engine, query, watcher.options.headers);
    // Register the teardown before joining: join() may synchronously unsubscribe this subscriber.
    subscriber.add(() => live.leave(watcher));
    live.join(watcher);
  });
  const live$ = catchObserverErrors(values$, (error) => report(`watch(${nameOf(typeOf(query))})`, error));
  return Object.assign(live$, {
    [Symbol.asyncIterator]: () => iterateLatest(live$),
  }) as unknown as LiveQuery<never>;
}

function sharedQuery(engine: Engine, query: object, headers: Headers | undefined): SharedQuery {
  let queries = shared.get(engine);
  if (queries === undefined) shared.set(engine, (queries = new Map<unknown, SharedQuery>()));
  const key = keyOf(query, headers);
  let found = queries.get(key);
  if (found === undefined) {
    found = new SharedQuery(engine, query, headers, () => queries.delete(key));
    queries.set(key, found);
  }
  return found;
}

/** Returns the query itself where no key can be made, so that watchers of the same object share it. */
function keyOf(query: object, headers: Headers | undefined): unknown {
  try {
    const key = messageKey(query);
    return headers === undefined ? key : key + JSON.stringify(Object.entries(headers).sort());
  } catch {
    return query;
  }
}
