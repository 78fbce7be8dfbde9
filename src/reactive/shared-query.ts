import type { Closeable } from "../core/delivery/delivery-host.js";
import type { RefreshOptions, Registration } from "../core/handlers/handler.js";
import type { Observable, Subscription } from "rxjs";
import { syncBoolean } from "../core/checks.js";
import { captureContext } from "../core/util/async-context.js";
import { abortError } from "../core/delivery/abort.js";
import type { Engine } from "../core/bus/engine.js";
import type { Headers } from "../core/messages/envelope.js";
import { BusClosedError } from "../core/errors.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { deepEqual } from "../core/messages/deep-equal.js";
import { CoalescedTask } from "./coalesced-task.js";
import type { Watcher } from "./watcher.js";

/** One time that the query is asked. */
interface Run {
  delivery?: LiveDelivery;
  emitted: boolean;
}

/** What the watchers of one query have in common: never more than one run, and one subscription for each source of refreshes. */
export class SharedQuery implements Closeable {
  readonly #engine: Engine;
  readonly #query: object;
  readonly #headers: Headers | undefined;
  readonly #forget: () => void;
  readonly #detach: () => void;
  readonly #leaveRegistry: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #sources = new Map<Observable<unknown>, { watchers: number; subscription?: Subscription }>();
  readonly #again: CoalescedTask;
  /** As they were when it was asked last. */
  #handlers: readonly Registration[] | undefined;
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
    this.#leaveRegistry = engine.registry.whenRegistered(() => this.#registered());
    // Later runs belong to whoever began to watch, not to whoever caused a refresh.
    const scope = captureContext();
    this.#again = new CoalescedTask(() => scope.runInAsyncScope(() => this.#ask()));
  }

  join(watcher: Watcher): void {
    this.#watchers.add(watcher);
    // Before anything is asked: what changes from now on is in the result, or refreshes it.
    const { refreshOn } = watcher.options;
    if (refreshOn !== undefined) this.#listenTo(refreshOn);
    this.#again.reschedule(watcher.options.coalesceMs ?? 0);
    if (this.#latest !== undefined) watcher.show(this.#latest.value, this.#version);
    else if (this.#run !== undefined || this.#again.pending || !this.#watchers.has(watcher)) return;
    else if (this.#failing) this.#again.schedule();
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
    this.#leaveRegistry();
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
    this.#handlers = handlersOf(this.#engine, this.#query);
    const options = this.#handlers?.[0]?.refresh as RefreshOptions | undefined;
    if (options === this.#declared?.options) return;
    this.#declared?.subscription?.unsubscribe();
    this.#declared = undefined;
    if (options === undefined) return;
    const { refreshOn, affects } = options;
    const subscription =
      refreshOn &&
      this.#refreshOn(
        refreshOn,
        (emission) =>
          affects === undefined || syncBoolean(affects(emission, this.#query), "register()", "affects"),
      );
    this.#declared = { options, subscription };
  }

  /** By a new handler the answer may be another, and it may say anew when that changes. */
  #registered(): void {
    const handlers = handlersOf(this.#engine, this.#query);
    if (handlers !== undefined && handlers !== this.#handlers) this.#refresh();
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
      this.#again.schedule(coalesceMs);
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
    const delivery = this.#engine.send(this.#query, this.#headers && { headers: this.#headers }, {
      sink: { streamed: false, take },
    });
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
    if (!compared || !deepEqual(latest.value, value)) this.#version++;
    this.#latest = { value };
    this.#refreshIfOutdated();
    // Those that have left meanwhile are closed, and show nothing.
    for (const watcher of watchers) watcher.show(value, this.#version);
    if (this.#closing) this.stop();
  }

  #failed(error: unknown): void {
    this.#run = undefined;
    this.#latest = undefined;
    this.#refreshIfOutdated();
    const closed = error instanceof BusClosedError && this.#engine.closed;
    this.#failing = true;
    for (const watcher of closed && this.#closing ? [] : [...this.#watchers]) {
      if (this.#watchers.has(watcher)) watcher.fail(error);
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

function handlersOf({ registry }: Engine, query: object): readonly Registration[] | undefined {
  try {
    return registry.find(query);
  } catch {
    // A query that cannot be looked at: asking it will tell why.
    return undefined;
  }
}
