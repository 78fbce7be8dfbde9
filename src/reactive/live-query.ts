import { Observable, type Subscriber, type Subscription } from "rxjs";
import { captureContext } from "../core/async-context.js";
import { abortError, abortOn, checkSignal } from "../core/cancellation.js";
import { LONGEST_TIMEOUT_MS } from "../core/clock.js";
import { FULFILLED, type LiveDelivery } from "../core/live-delivery.js";
import type { Engine } from "../core/engine.js";
import { checkedHeaders, type Headers } from "../core/envelope.js";
import { BusClosedError, refuse } from "../core/errors.js";
import { guard } from "../core/guard.js";
import { latestOf } from "./latest.js";
import { nameOf, typeOf } from "../core/message.js";
import { messageKey } from "../core/message-key.js";
import type { Part } from "../core/middleware.js";
import type { RefreshOptions } from "../core/registry.js";
import { same } from "./same.js";
import { Soon } from "./soon.js";

export interface WatchOptions<R = unknown> {
  /** Whatever it emits, the query is asked again. Added to what the handler was registered with. @defaultValue none */
  readonly refreshOn?: Observable<unknown>;
  /**
   * Whether a result that equals the one shown before is left out, or a function that tells whether two are equal. By default they are compared by content;
   * a handler that returns one and the same object, changed in place, needs `false`.
   * @defaultValue true
   */
  readonly distinct?: boolean | ((a: R, b: R) => boolean);
  /**
   * How long refreshes are gathered before the query is asked once for all of them, in milliseconds; 0 gathers those of the same turn.
   * Of watchers that share a query the most impatient decides. @defaultValue 0
   */
  readonly coalesceMs?: number;
  /** Aborting it errors this watcher with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told of failures, after which the watcher stays and the next refresh tries again. @defaultValue the watcher errors */
  readonly onError?: (error: unknown) => void;
  /** Go into the envelope of each run; watchers with other headers do not share it. */
  readonly headers?: Headers | undefined;
}

/**
 * The results of a query, now and after each change.
 *
 * An async iterable, too: `for await` sees the latest result that it has not read yet, skipping those in between; `break` unsubscribes.
 */
export type LiveQuery<R> = Observable<R> & AsyncIterable<R>;

const shared = new WeakMap<Engine, Map<unknown, SharedQuery>>();

export function liveQuery(engine: Engine, query: object, options: WatchOptions<never>): LiveQuery<never> {
  const values$ = new Observable<unknown>((subscriber) => {
    const watcher = new Watcher(subscriber, checked(options));
    const { signal } = watcher.options;
    if (signal !== undefined)
      subscriber.add(abortOn(signal, { abort: (reason) => subscriber.error(reason) }));
    if (subscriber.closed) return;
    const live = sharedQuery(engine, query, watcher.options.headers);
    // First: it may leave while it joins.
    subscriber.add(() => live.leave(watcher));
    live.join(watcher);
  });
  const live$ = guard(values$, (error) =>
    engine.report({ kind: "observer", source: `watch(${nameOf(typeOf(query))})`, error }),
  );
  return Object.assign(live$, {
    [Symbol.asyncIterator]: () => latestOf(live$),
  }) as unknown as LiveQuery<never>;
}

function checked(options: WatchOptions<never>): WatchOptions {
  const { refreshOn, coalesceMs = 0, signal, headers } = options;
  checkRefreshOn(refreshOn);
  if (!(coalesceMs >= 0 && coalesceMs <= LONGEST_TIMEOUT_MS))
    refuse("options.coalesceMs", `must be from 0 to ${LONGEST_TIMEOUT_MS}; received ${String(coalesceMs)}`);
  if (signal !== undefined) checkSignal(signal, "options.signal");
  return {
    ...(options as WatchOptions),
    headers: headers === undefined ? undefined : checkedHeaders(headers),
  };
}

/** @throws InvalidMessageError */
export function checkRefreshOn(refreshOn: unknown): void {
  if (refreshOn !== undefined && typeof (refreshOn as Partial<Observable<unknown>>)?.subscribe !== "function")
    refuse("options.refreshOn", "is not an Observable");
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

/** A query of which no key can be made is shared by those who watch the same object. */
function keyOf(query: object, headers: Headers | undefined): unknown {
  try {
    const key = messageKey(query);
    return headers === undefined ? key : key + JSON.stringify(Object.entries(headers).sort());
  } catch {
    return query;
  }
}

function refreshOptions({ registry }: Engine, query: object): RefreshOptions | undefined {
  try {
    return registry.find(query)?.[0]?.refresh as RefreshOptions | undefined;
  } catch {
    // A query that cannot be looked at: asking it will tell why.
    return undefined;
  }
}

/** One subscriber, and what it has been shown. */
class Watcher {
  readonly #subscriber: Subscriber<unknown>;
  readonly options: WatchOptions;
  #shown: { readonly value: unknown; readonly version: number } | undefined;

  constructor(subscriber: Subscriber<unknown>, options: WatchOptions) {
    this.#subscriber = subscriber;
    this.options = options;
  }

  get comparesContent(): boolean {
    return (this.options.distinct ?? true) === true;
  }

  show(value: unknown, version: number): void {
    if (this.#subscriber.closed || this.#isShown(value, version)) return;
    this.#shown = { value, version };
    this.#subscriber.next(value);
  }

  #isShown(value: unknown, version: number): boolean {
    const { distinct } = this.options;
    if (this.#shown === undefined) return false;
    if (this.comparesContent) return this.#shown.version === version;
    try {
      return typeof distinct === "function" && distinct(this.#shown.value, value);
    } catch (error) {
      this.#subscriber.error(error);
      return true;
    }
  }

  fail(error: unknown): void {
    // What comes next is news, whatever was shown before.
    this.#shown = undefined;
    const { onError } = this.options;
    if (onError === undefined) this.#subscriber.error(error);
    else onError(error);
  }

  complete(): void {
    this.#subscriber.complete();
  }
}

/** One time that the query is asked. */
interface Run {
  delivery?: LiveDelivery;
  emitted: boolean;
}

/** What the watchers of one query have in common: never more than one run, and one subscription for each source of refreshes. */
class SharedQuery implements Part {
  readonly #engine: Engine;
  readonly #query: object;
  readonly #headers: Headers | undefined;
  readonly #forget: () => void;
  readonly #detach: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #sources = new Map<Observable<unknown>, { watchers: number; subscription?: Subscription }>();
  readonly #again: Soon;
  #declared:
    { readonly options: RefreshOptions; readonly subscription: Subscription | undefined } | undefined;
  #run: Run | undefined;
  #started = false;
  /** A refresh came while a run was under way that may have read what is outdated by now. */
  #outdated = false;
  #latest: { readonly value: unknown } | undefined;
  /** Counted up by each value that differs from the one before, so that values are compared once and not for each watcher. */
  #version = 0;
  #failing = false;
  #closing = false;

  constructor(engine: Engine, query: object, headers: Headers | undefined, forget: () => void) {
    this.#engine = engine;
    this.#query = query;
    this.#headers = headers;
    this.#forget = forget;
    this.#detach = engine.attach(this);
    // Later runs belong to whoever began to watch, not to whoever caused a refresh.
    const scope = captureContext();
    this.#again = new Soon(() => scope.runInAsyncScope(() => this.#ask()));
  }

  join(watcher: Watcher): void {
    this.#watchers.add(watcher);
    // Before anything is asked: what changes from now on is in the result, or refreshes it.
    const { refreshOn } = watcher.options;
    if (refreshOn !== undefined) this.#listenTo(refreshOn);
    if (this.#latest !== undefined) watcher.show(this.#latest.value, this.#version);
    else if (this.#run !== undefined || this.#again.pending || !this.#watchers.has(watcher)) return;
    else if (this.#failing) this.#again.ask();
    else this.#ask();
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    const { refreshOn } = watcher.options;
    const source = refreshOn && this.#sources.get(refreshOn);
    if (source !== undefined && --source.watchers === 0) {
      this.#sources.delete(refreshOn!);
      source.subscription?.unsubscribe();
    }
    if (this.#watchers.size === 0) this.#end();
  }

  /** Forgotten first: whoever watches again because of what happens now starts afresh. */
  #end(): void {
    this.#forget();
    this.#detach();
    this.#again.cancel();
    this.#declared?.subscription?.unsubscribe();
    this.#declared = undefined;
    this.#drop();
  }

  // Refreshing -----------------------------------------------------------------------------------------------------

  #listenTo(refreshOn: Observable<unknown>): void {
    const known = this.#sources.get(refreshOn);
    if (known !== undefined) {
      known.watchers++;
      return;
    }
    const source: { watchers: number; subscription?: Subscription } = { watchers: 1 };
    this.#sources.set(refreshOn, source);
    source.subscription = this.#refreshOn(refreshOn, () => true);
    // What it told before that nobody here has heard.
    this.#refresh();
  }

  /** What the handler was registered with; looked up for each run, because it may have been registered anew. */
  #listenToDeclared(): void {
    const options = refreshOptions(this.#engine, this.#query);
    if (options === this.#declared?.options) return;
    this.#declared?.subscription?.unsubscribe();
    this.#declared = undefined;
    if (options === undefined) return;
    const { refreshOn, affects } = options;
    const subscription =
      refreshOn &&
      this.#refreshOn(refreshOn, (emission) => affects === undefined || affects(emission, this.#query));
    this.#declared = { options, subscription };
  }

  #refreshOn(refreshOn: Observable<unknown>, affected: (emission: unknown) => boolean): Subscription {
    return refreshOn.subscribe({
      next: (emission) => {
        let again = true;
        try {
          again = affected(emission);
        } catch (error) {
          // Asked once too often rather than once too seldom.
          this.#report(error);
        }
        if (again) this.#refresh();
      },
      error: (error: unknown) => this.#report(error),
    });
  }

  #refresh(): void {
    if (!this.#started || this.#closing) return;
    if (this.#run !== undefined && !this.#run.emitted) {
      this.#outdated = true;
    } else if (!this.#again.pending) {
      let coalesceMs = Infinity;
      for (const { options } of this.#watchers) coalesceMs = Math.min(coalesceMs, options.coalesceMs ?? 0);
      this.#again.ask(coalesceMs);
    }
  }

  #refreshIfOutdated(): void {
    const outdated = this.#outdated;
    this.#outdated = false;
    if (outdated) this.#refresh();
  }

  // Runs -----------------------------------------------------------------------------------------------------------

  #ask(): void {
    // A stream that goes on: what it has to say is of before.
    this.#drop();
    this.#outdated = false;
    const run: Run = { emitted: false };
    this.#run = run;
    this.#listenToDeclared();
    if (this.#run !== run) return;
    this.#started = true;
    const take = (value: unknown): boolean => {
      if (this.#run === run) this.#emitted(run, value);
      return this.#run === run;
    };
    const delivery = this.#engine.send(this.#query, this.#headers && { headers: this.#headers }, { take });
    run.delivery = delivery;
    if (this.#run !== run) abandon(delivery);
    delivery.whenSettled(() => {
      if (this.#run !== run) return;
      if (delivery.status !== FULFILLED) return this.#failed(delivery.result);
      if (!run.emitted) this.#emitted(run, delivery.result);
      if (this.#run === run) this.#run = undefined;
    });
  }

  #drop(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run?.delivery !== undefined) abandon(run.delivery);
  }

  #emitted(run: Run, value: unknown): void {
    run.emitted = true;
    const watchers = [...this.#watchers];
    const latest = this.#latest;
    const compared = latest !== undefined && watchers.some(({ comparesContent }) => comparesContent);
    if (!compared || !same(latest.value, value)) this.#version++;
    this.#latest = { value };
    this.#refreshIfOutdated();
    for (const watcher of watchers) if (this.#watchers.has(watcher)) watcher.show(value, this.#version);
    if (this.#closing) this.stop();
  }

  #failed(error: unknown): void {
    this.#run = undefined;
    this.#latest = undefined;
    this.#refreshIfOutdated();
    const closed = error instanceof BusClosedError && this.#engine.describe().closed;
    this.#failing = true;
    for (const watcher of closed && this.#closing ? [] : [...this.#watchers]) {
      if (!this.#watchers.has(watcher)) continue;
      try {
        watcher.fail(error);
      } catch (failure) {
        this.#engine.report({ kind: "observer", source: "onError", error: failure });
      }
    }
    this.#failing = false;
    if (closed || this.#closing) this.stop();
  }

  #report(error: unknown): void {
    this.#engine.report({ kind: "refresh", source: `watch(${nameOf(typeOf(this.#query))})`, error });
  }

  // The end of the bus ---------------------------------------------------------------------------------------------

  /** What is under way may come to its end. */
  flush(): void {
    this.#closing = true;
    this.#again.cancel();
    if (this.#run === undefined || this.#run.emitted) this.stop();
  }

  stop(): void {
    for (const watcher of [...this.#watchers]) watcher.complete();
  }
}

function abandon(delivery: LiveDelivery): void {
  delivery.abort(abortError(`Nobody watches ${delivery.typeName} any more, or it is asked again.`));
}
