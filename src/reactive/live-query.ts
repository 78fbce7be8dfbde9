import { catchError, distinctUntilChanged, map, Observable, of, startWith } from "rxjs";
import { abortOn } from "../core/delivery/abort.js";
import type { Engine } from "../core/bus/engine.js";
import type { Headers } from "../core/messages/envelope.js";
import { catchObserverErrors } from "../core/util/guarded-observable.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { messageKey } from "../core/messages/message-key.js";
import { iterateLatest } from "./latest-iterator.js";
import { SnapshotState, type LiveSnapshot } from "./live-snapshot.js";
import { SharedQuery } from "./shared-query.js";
import { checkedOptions, Watcher, type WatchOptions } from "./watcher.js";

/**
 * The results of a query, now and after each change.
 *
 * Also an async iterable: `for await` reads the latest result and skips those in between; `break` unsubscribes.
 */
export interface LiveQuery<R> extends Observable<R>, AsyncIterable<R> {
  /**
   * Returns the state at this moment, for React's `useSyncExternalStore` and others that read instead of subscribing.
   *
   * Guarantees: the same frozen object until something has changed; new before subscribers receive the value. Asks
   * nothing by itself: it is "pending" until this live query, or another watcher of an equal query, has a result.
   * After the last subscriber left it stays as it was. Needs no `this`.
   *
   * @example
   * const todos = useSyncExternalStore(
   *   (changed) => {
   *     const subscription = live.snapshot$.subscribe(changed);
   *     return () => subscription.unsubscribe();
   *   },
   *   live.getSnapshot,
   * );
   */
  readonly getSnapshot: () => LiveSnapshot<R>;
  /**
   * The snapshot, now and after each change. Each subscriber watches the query. A failure is a snapshot and not
   * the end: the next refresh asks again. Completes with the bus, and after the abort of the `signal`.
   */
  readonly snapshot$: Observable<LiveSnapshot<R>>;
}

/** The watched queries of each bus, by their local context, or else the bus, then by their key. */
const shared = new WeakMap<Engine, WeakMap<object, Map<unknown, SharedQuery>>>();

export function liveQuery(engine: Engine, query: object, options: WatchOptions<never>): LiveQuery<never> {
  const checked = checkedOptions(options);
  const report = (source: string, error: unknown): void => engine.report({ kind: "observer", source, error });
  const snapshot = new SnapshotState(checked.distinct === true);
  let watchers = 0;
  const values = (options: WatchOptions): Observable<unknown> =>
    new Observable((subscriber) => {
      const watcher = new Watcher(subscriber, options, snapshot, report);
      if (options.signal !== undefined) subscriber.add(abortOn(options.signal, watcher));
      if (subscriber.closed) return;
      const live = sharedQuery(engine, query, options);
      watchers++;
      // Register the teardown before joining: join() may synchronously unsubscribe this subscriber.
      subscriber.add(() => {
        watchers--;
        live.leave(watcher);
      });
      // A toJSON() of the query, which its key is made with, may have ended the subscriber.
      if (!subscriber.closed) live.join(watcher);
    });
  const getSnapshot = (): LiveSnapshot<unknown> => {
    // Without watchers of its own, it may know the result from those of an equal query.
    const result = watchers > 0 ? undefined : knownQuery(engine, query, checked)?.latest;
    if (result !== undefined) snapshot.show(result);
    return snapshot.current;
  };
  const changes$ = new Observable((subscriber) => {
    const onError = (error: unknown): unknown => {
      subscriber.next(error);
      return checked.onError?.(error);
    };
    return values({ ...checked, onError })
      .pipe(catchError((error: unknown) => of(error)))
      .subscribe(subscriber);
  });
  const snapshots$ = changes$.pipe(startWith(undefined), map(getSnapshot), distinctUntilChanged());
  const guarded = <T>(stream$: Observable<T>): Observable<T> =>
    catchObserverErrors(stream$, (error) => report(`watch(${nameOf(typeOf(query))})`, error));
  const live$ = guarded(values(checked));
  return Object.assign(live$, {
    [Symbol.asyncIterator]: () => iterateLatest(live$),
    getSnapshot,
    snapshot$: guarded(snapshots$),
  }) as unknown as LiveQuery<never>;
}

function queriesIn(engine: Engine, context: object = engine): Map<unknown, SharedQuery> {
  const contexts = shared.get(engine) ?? new WeakMap<object, Map<unknown, SharedQuery>>();
  shared.set(engine, contexts);
  const queries = contexts.get(context) ?? new Map<unknown, SharedQuery>();
  contexts.set(context, queries);
  return queries;
}

function knownQuery(engine: Engine, query: object, options: WatchOptions): SharedQuery | undefined {
  return queriesIn(engine, options.context).get(keyOf(query, options.headers));
}

function sharedQuery(engine: Engine, query: object, { headers, context }: WatchOptions): SharedQuery {
  const queries = queriesIn(engine, context);
  const key = keyOf(query, headers);
  const known = queries.get(key);
  if (known !== undefined) return known;
  const made = new SharedQuery(engine, query, { headers, context }, () => {
    // Another query may have its place, because a query can end a second time in the teardown of a source.
    if (queries.get(key) === made) queries.delete(key);
  });
  queries.set(key, made);
  return made;
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
