import { defer, isObservable, Observable, ReplaySubject, retry, Subscription, tap } from "rxjs";
import type { Engine } from "../core/bus/engine.js";
import { CqrsError, InvalidHandlerError, SagaFailedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { captureContext } from "../core/util/async-context.js";
import { backoffMs } from "../core/util/backoff.js";
import { catchObserverErrors } from "../core/util/guarded-observable.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import { startTimer } from "../core/util/timers.js";
import type { CommandSender } from "./command-sender.js";
import type { SagaInbox } from "./saga-inbox.js";

export interface RestartOptions {
  /** How often in a row a saga is restarted before it is given up; `Infinity` for no limit. @defaultValue 10 */
  readonly count?: number;
  /**
   * The wait before a restart in milliseconds, doubled from one to the next; no wait for the first after an event.
   * @defaultValue 100
   */
  readonly delayMs?: number;
  /**
   * The longest wait in milliseconds. A saga that runs for so long, or reacts, starts counting anew.
   * @defaultValue 30_000
   */
  readonly maxDelayMs?: number;
}

export type SagaState = "running" | "restarting" | "failed" | "stopped";

/** A function that turns the events of a bus into the commands that follow. */
export type SagaFunction = (events$: Observable<Envelope>) => Observable<object>;

/** One run of the function, from a start to its end. */
interface Instance {
  readonly startedMs: number;
  /** The number of events that the saga had received before. */
  readonly deliveredBefore: number;
  /** It has emitted after an event, so that its next failure counts as the first. */
  reacted: boolean;
}

/** Subscribes to a saga, restarts it with back-off when it fails, and gives it up when it keeps failing. */
export class SagaSupervisor {
  readonly #name: string;
  readonly #project: SagaFunction;
  readonly #restart: Required<RestartOptions>;
  readonly #engine: Engine;
  readonly #inbox: SagaInbox;
  readonly #sender: CommandSender;
  readonly #states = new ReplaySubject<SagaState>(1);
  readonly state$: Observable<SagaState>;
  /** Ends with the saga. */
  readonly subscription = new Subscription();
  /** The async context in which the saga was created; used for work that no event triggered. */
  readonly #ownScope = captureContext();
  #state: SagaState | undefined;
  #instance: Instance | undefined;
  #failures = 0;
  #restarts = 0;
  #completing = false;

  constructor(
    name: string,
    project: SagaFunction,
    { count = 10, delayMs = 100, maxDelayMs = 30_000 }: RestartOptions,
    engine: Engine,
    inbox: SagaInbox,
    sender: CommandSender,
  ) {
    this.#name = name;
    this.#project = project;
    this.#restart = { count, delayMs, maxDelayMs };
    this.#engine = engine;
    this.#inbox = inbox;
    this.#sender = sender;
    this.state$ = catchObserverErrors(this.#states, (error) => this.#report(error));
    this.subscription.add(() => this.#end("stopped"));
  }

  get state(): SagaState {
    return this.#state ?? "running";
  }

  /** How often it was restarted. */
  get restarts(): number {
    return this.#restarts;
  }

  start(): void {
    this.subscription.add(
      defer(() => this.#instantiate())
        .pipe(
          tap(() => this.#noteReaction()),
          retry({ delay: (error: unknown) => this.#beforeRestart(error) }),
        )
        .subscribe({
          next: (command) => this.#sender.send(command),
          error: (error: unknown) => this.#giveUp(error),
          complete: () => this.subscription.unsubscribe(),
        }),
    );
  }

  /** Calls the function and subscribes to its commands in the saga's own async context. */
  #instantiate(): Observable<object> {
    return new Observable((subscriber) => {
      this.#instance = {
        startedMs: performance.now(),
        deliveredBefore: this.#inbox.delivered,
        reacted: false,
      };
      this.#enter("running");
      const subscription = this.#ownScope.runInAsyncScope(() =>
        this.#commandsOf(this.#inbox.open()).subscribe({
          next: (command) => subscriber.next(command),
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      ) as Subscription;
      this.#inbox.drain();
      return () => {
        this.#inbox.close();
        this.#reportingErrors(() => subscription.unsubscribe());
      };
    });
  }

  #commandsOf(events$: Observable<Envelope>): Observable<object> {
    const commands$: unknown = this.#project(events$);
    if (isObservable(commands$)) return commands$ as Observable<object>;
    ignored(commands$);
    const returned = isThenable(commands$) ? "a promise" : "a value that is not an Observable";
    throw new InvalidHandlerError(
      `Saga ${this.#name} returned ${returned}; return the commands as an Observable.`,
    );
  }

  #noteReaction(): void {
    const instance = this.#instance!;
    if (this.#inbox.delivered > instance.deliveredBefore) instance.reacted = true;
  }

  /**
   * Emits when the saga is to be restarted, synchronously after its first failure in a row. Errors when it is
   * given up.
   */
  #beforeRestart(error: unknown): Observable<void> {
    const { startedMs, reacted, deliveredBefore } = this.#instance!;
    const { count, delayMs, maxDelayMs } = this.#restart;
    if (reacted || performance.now() - startedMs >= maxDelayMs) this.#failures = 0;
    const failures = ++this.#failures;
    this.#report(error);
    return new Observable((subscriber) => {
      // Do not restart a saga that has received its last event.
      if (this.#inbox.exhausted) return subscriber.complete();
      if (failures > count) return subscriber.error(new SagaFailedError(this.#name, failures, error));
      this.#restarts++;
      this.#enter("restarting");
      if (failures === 1 && this.#inbox.delivered > deliveredBefore) return subscriber.next();
      return startTimer(backoffMs(failures, delayMs, maxDelayMs), () => subscriber.next(), {});
    });
  }

  #giveUp(error: unknown): void {
    this.#end("failed");
    this.#report(error);
    this.subscription.unsubscribe();
  }

  /** Completes the events of the saga and calls `done` once it has ended. */
  complete(done: () => void): void {
    this.subscription.add(done);
    this.#completing = true;
    this.#inbox.complete();
    if (this.#inbox.exhausted && this.#state === "restarting") this.subscription.unsubscribe();
  }

  /** Stops at once. */
  stop(): void {
    if (this.#completing && !this.#ended)
      this.#report(
        new CqrsError(
          `Saga ${this.#name} had not completed when its bus was closed, and what it had begun is lost; ` +
            "give close() more time, or let the saga complete after its events do.",
        ),
      );
    // The operators of the saga may still emit what they keep.
    this.#inbox.complete();
    this.subscription.unsubscribe();
  }

  #end(state: "failed" | "stopped"): void {
    if (this.#ended) return;
    this.#enter(state);
    this.#inbox.end();
    this.#states.complete();
  }

  get #ended(): boolean {
    return this.#state === "failed" || this.#state === "stopped";
  }

  #enter(state: SagaState): void {
    if (state === this.#state || this.#ended) return;
    this.#state = state;
    this.#states.next(state);
  }

  #reportingErrors(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#engine.report({ kind: "saga", source: this.#name, error });
  }
}
