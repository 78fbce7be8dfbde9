import type { Closeable, PartsDescription } from "../core/delivery/delivery-host.js";
import type { RefreshOptions, Registration } from "../core/handlers/handler.js";
import { Subscription, type Observable } from "rxjs";
import { syncBoolean } from "../core/checks.js";
import { captureContext } from "../core/util/async-context.js";
import { abortError } from "../core/delivery/abort.js";
import type { Engine } from "../core/bus/engine.js";
import type { DispatchOptions } from "../core/bus/options.js";
import { isEnvelope } from "../core/messages/envelope.js";
import { BusClosedError, LoopDetectedError } from "../core/errors.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { deepEqual } from "../core/messages/deep-equal.js";
import { CoalescedTask } from "./coalesced-task.js";
import type { SharedResult } from "./live-snapshot.js";
import type { Watcher } from "./watcher.js";

/** How many runs in a row may each trigger the next before the query counts as a loop. */
const MOST_TRIGGERED = 100;
/** The wait between the runs of a loop. */
const LOOP_PAUSE_MS = 1_000;

/** Counts the results of all queries that differ from the result before. */
let versions = 0;

/** One ask of the query. */
interface Run {
  delivery?: LiveDelivery;
  emitted: boolean;
}

/**
 * The state that watchers of equal queries share: at most one run, and one subscription for each source of refreshes.
 *
 * In operators, `merge(...refreshes$).pipe(startWith(0), switchMap(() => ask$), share({ connector: () => new
 * ReplaySubject(1) }))` says most of it. It is written out because operators lack four things: a refresh during a
 * run waits for the run's result and then asks once more; each watcher compares results by its own `distinct`,
 * with one comparison by content for all; a failure reaches the watchers that have no `onError` and leaves the
 * run to the others; and runs stop in the bus's order when it closes.
 *
 * ```text
 * idle ──ask──► running ──value──► shown ──refresh──► running          leave (the last) ──► ended
 *                  └────error────► failed ──refresh or a new watcher──► running
 * ```
 */
export class SharedQuery implements Closeable {
  readonly #engine: Engine;
  readonly #query: object;
  readonly #options: DispatchOptions;
  readonly #forget: () => void;
  readonly #detach: () => void;
  readonly #leaveRegistry: () => void;
  readonly #watchers = new Set<Watcher>();
  readonly #sources = new Map<
    Observable<unknown>,
    { watchers: number; readonly subscription: Subscription }
  >();
  readonly #refreshTask: CoalescedTask;
  /** The handlers of the last ask, and the subscription to the source that they declare. */
  #handlers: readonly Registration[] | undefined;
  #declared = Subscription.EMPTY;
  #run: Run | undefined;
  /** The delivery of the last run, which may have settled. */
  #lastRun: LiveDelivery | undefined;
  #started = false;
  #showing = false;
  /** A refresh came during the present run, which may have read stale data. */
  #outdated = false;
  /** A refresh came during the last run, or told of it. */
  #triggered = false;
  /** How many runs in a row triggered the next. */
  #triggeredRuns = 0;
  #latest: SharedResult | undefined;
  #failing = false;
  #closing = false;

  constructor(engine: Engine, query: object, options: DispatchOptions, forget: () => void) {
    this.#engine = engine;
    this.#query = query;
    this.#options = options;
    this.#forget = forget;
    this.#detach = engine.attach(this);
    this.#leaveRegistry = engine.registry.whenRegistered(() => this.#registered());
    // Later runs belong to the async context of the first watcher, not to the code that caused a refresh.
    const scope = captureContext();
    this.#refreshTask = new CoalescedTask(() => scope.runInAsyncScope(() => this.#ask()));
  }

  /** The latest result, unless the last run failed. */
  get latest(): SharedResult | undefined {
    return this.#latest;
  }

  join(watcher: Watcher): void {
    this.#watchers.add(watcher);
    // Listen before asking. If the query were asked first, a change in between would be missing from its result and
    // would not refresh it.
    const { refreshOn } = watcher.options;
    if (refreshOn !== undefined) this.#listenTo(refreshOn);
    if (!this.#looping) this.#refreshTask.reschedule(watcher.options.coalesceMs ?? 0);
    if (this.#latest !== undefined) watcher.show(this.#latest);
    else if (this.#run !== undefined || this.#refreshTask.pending || !this.#watchers.has(watcher)) return;
    else if (this.#failing) this.#refreshTask.schedule();
    else this.#ask();
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    const { refreshOn } = watcher.options;
    const source = refreshOn && this.#sources.get(refreshOn);
    if (source !== undefined && --source.watchers === 0) {
      this.#sources.delete(refreshOn!);
      this.#unsubscribe(source.subscription);
    }
    if (this.#watchers.size === 0) this.#end();
  }

  /**
   * Ends for good. Forgets the query first, so that a watcher that subscribes again during the teardown starts a
   * new one.
   */
  #end(): void {
    this.#forget();
    this.#detach();
    this.#leaveRegistry();
    this.#refreshTask.cancel();
    this.#unsubscribe(this.#declared);
    this.#abortRun();
  }

  // Refreshing -----------------------------------------------------------------------------------------------------

  #listenTo(refreshOn: Observable<unknown>): void {
    const known = this.#sources.get(refreshOn);
    if (known !== undefined) {
      known.watchers++;
      return;
    }
    const subscription = new Subscription();
    this.#sources.set(refreshOn, { watchers: 1, subscription });
    this.#refreshOn(refreshOn, subscription);
    // The source may have emitted before this subscription; refresh once to catch up.
    this.#refresh();
  }

  /**
   * Listens to the source that the handler's registration declares. Each run looks it up, because the handler may
   * be a new one.
   */
  #listenToDeclared(): void {
    const handlers = this.#engine.registry.find(this.#query);
    if (handlers === this.#handlers) return;
    this.#handlers = handlers;
    this.#unsubscribe(this.#declared);
    const { refreshOn, affects } = (handlers?.[0]?.refresh as RefreshOptions | undefined) ?? {};
    // The teardown of the old source may have ended the last watcher.
    if (refreshOn !== undefined && this.#watchers.size > 0)
      this.#refreshOn(refreshOn, (this.#declared = new Subscription()), affects);
  }

  /** Asks again, because a newly registered handler may return another result and declare other refresh sources. */
  #registered(): void {
    const handlers = this.#engine.registry.find(this.#query);
    if (handlers !== undefined && handlers !== this.#handlers) this.#refresh();
  }

  /** @param subscription - made before, because the source may end the last watcher while it is being subscribed */
  #refreshOn(
    refreshOn: Observable<unknown>,
    subscription: Subscription,
    affects?: RefreshOptions["affects"],
  ): void {
    const next = (emission: unknown): void => {
      try {
        if (affects && !syncBoolean(affects(emission, this.#query), "register()", "affects")) return;
      } catch (error) {
        // Ask once too often rather than show a stale result.
        this.#report(error);
      }
      this.#triggered ||= this.#tellsOfRun(emission);
      this.#refresh();
    };
    subscription.add(refreshOn.subscribe({ next, error: (error: unknown) => this.#report(error) }));
  }

  /** Reports what the teardown of a source throws, because the query ends, or asks again, all the same. */
  #unsubscribe(source: Subscription): void {
    try {
      source.unsubscribe();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Returns whether an emission of a bus is the last run itself, or was caused by it. */
  #tellsOfRun(emission: unknown): boolean {
    const run = this.#lastRun;
    const envelope = (emission as { readonly envelope?: unknown } | null | undefined)?.envelope ?? emission;
    if (run === undefined || !isEnvelope(envelope)) return false;
    const { id, causationId } = envelope.meta;
    return id === run.id || causationId === run.id;
  }

  get #looping(): boolean {
    return this.#triggeredRuns >= MOST_TRIGGERED;
  }

  /** Counts a run that begins. A run without a refresh during it ends a loop. */
  #countTriggered(): void {
    if (this.#triggered) this.#triggeredRuns++;
    else this.#triggeredRuns = 0;
    this.#triggered = false;
    if (this.#triggeredRuns !== MOST_TRIGGERED) return;
    const name = nameOf(typeOf(this.#query));
    const text =
      `watch(${name}) asked again after ${MOST_TRIGGERED} runs that each triggered the next, and asks at most ` +
      `once a second now; let refreshOn, or affects, skip what the handler of ${name} causes.`;
    this.#report(new LoopDetectedError(text, name, [name, name]));
  }

  #refresh(): void {
    if (!this.#started || this.#closing) return;
    // Watchers see the emissions of a stream synchronously, so that a refresh meanwhile was triggered by the run.
    if (this.#showing) this.#triggered = true;
    if (this.#run !== undefined && !this.#run.emitted) {
      this.#triggered = true;
      this.#outdated = true;
    } else if (!this.#refreshTask.pending) {
      let coalesceMs = this.#shortestCoalesceMs();
      if (this.#looping && this.#triggered) coalesceMs = Math.max(coalesceMs, LOOP_PAUSE_MS);
      this.#refreshTask.schedule(coalesceMs);
    }
  }

  #shortestCoalesceMs(): number {
    let shortest = Infinity;
    for (const { options } of this.#watchers) {
      shortest = Math.min(shortest, options.coalesceMs ?? 0);
      if (shortest === 0) break;
    }
    return shortest;
  }

  #refreshIfOutdated(): void {
    if (!this.#outdated) return;
    this.#outdated = false;
    this.#refresh();
  }

  // Runs -----------------------------------------------------------------------------------------------------------

  #ask(): void {
    // Abort the previous run: the values of its stream are stale.
    this.#abortRun();
    // The teardown of its stream may have ended the last watcher.
    if (this.#watchers.size === 0) return;
    this.#countTriggered();
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
    const delivery = this.#engine.send(this.#query, this.#options, {
      sink: { reply: "live", streamed: false, take },
      accepted: (delivery) => {
        this.#lastRun = run.delivery = delivery;
        // An observer of the messages may have ended the last watcher.
        if (this.#run !== run) abort(delivery);
      },
    });
    delivery.whenSettled(() => {
      if (this.#run !== run) return;
      if (delivery.status !== FULFILLED) return this.#failed(delivery.result);
      if (!run.emitted) this.#emitted(run, delivery.result);
      if (this.#run === run) this.#run = undefined;
    });
  }

  #abortRun(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run?.delivery !== undefined) abort(run.delivery);
  }

  #emitted(run: Run, value: unknown): void {
    run.emitted = true;
    const watchers = [...this.#watchers];
    const latest = this.#latest;
    const compared = latest !== undefined && watchers.some(({ options }) => options.distinct === true);
    // Compare by content once for all watchers, because a large result makes the comparison expensive.
    const version = compared && deepEqual(latest.value, value) ? latest.version : ++versions;
    const result = (this.#latest = { value, version });
    this.#refreshIfOutdated();
    // A watcher that left meanwhile is closed and shows nothing.
    this.#showing = true;
    for (const watcher of watchers) {
      // A watcher made the stream emit again, and the others have the newer result by now.
      if (this.#latest !== result) break;
      watcher.show(result);
    }
    this.#showing = false;
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

  describe({ watchers }: PartsDescription): void {
    const messageType = nameOf(typeOf(this.#query));
    const others = watchers.get(messageType);
    watchers.set(messageType, {
      messageType,
      watchers: this.#watchers.size + (others?.watchers ?? 0),
      shared: 1 + (others?.shared ?? 0),
    });
  }

  // The end of the bus ---------------------------------------------------------------------------------------------

  /** Lets the present run end, and each watcher see how. */
  flush(): void {
    this.#closing = true;
    if (this.#showing || this.#failing) return;
    if (this.#run === undefined || this.#run.emitted) this.stop();
  }

  stop(): void {
    for (const watcher of [...this.#watchers]) watcher.complete();
  }
}

function abort(delivery: LiveDelivery): void {
  delivery.cancel(abortError(`${delivery.typeName} was asked again, or its last watcher left.`));
}
