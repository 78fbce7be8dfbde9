import { EMPTY, isObservable, Observable, of, ReplaySubject, retry, Subscription, throwError } from "rxjs";
import { CqrsError, InvalidHandlerError, SagaFailedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { captureContext } from "../core/util/async-context.js";
import { backoffMs } from "../core/util/backoff.js";
import { catchObserverErrors } from "../core/util/guarded-observable.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import { startTimer } from "../core/util/timers.js";
import type { CommandSender } from "./command-sender.js";
import type { SagaInbox } from "./saga-inbox.js";
import type { SagaSettings } from "./saga-settings.js";

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

/** Subscribes to a saga, restarts it with back-off when it fails, and gives it up when it keeps failing. */
export class SagaSupervisor {
  readonly #saga: SagaSettings;
  readonly #project: SagaFunction;
  readonly #restart: RestartOptions;
  readonly #inbox: SagaInbox;
  readonly #sender: CommandSender;
  readonly #states = new ReplaySubject<SagaState>(1);
  readonly state$: Observable<SagaState>;
  /** Ends with the saga. */
  readonly subscription = new Subscription();
  /** The async context in which the saga was created; used for work that no event triggered. */
  readonly #ownScope = captureContext();
  #state: SagaState | undefined;
  /** When the present instance was started, and how many events the saga had received before. */
  #startedMs = 0;
  #deliveredBefore = 0;
  #failuresInARow = 0;
  /** How often it was restarted. */
  restarts = 0;
  #completing = false;

  constructor(
    saga: SagaSettings,
    project: SagaFunction,
    restart: RestartOptions,
    inbox: SagaInbox,
    sender: CommandSender,
  ) {
    this.#saga = saga;
    this.#project = project;
    this.#restart = restart;
    this.#inbox = inbox;
    this.#sender = sender;
    this.state$ = catchObserverErrors(this.#states, (error) => saga.report(error));
    this.subscription.add(() => this.#end("stopped"));
  }

  get state(): SagaState {
    return this.#state ?? "running";
  }

  start(): void {
    this.subscription.add(
      this.#instances()
        .pipe(retry({ delay: (error: unknown) => this.#beforeRestart(error) }))
        .subscribe({
          next: (command) => {
            // It reacts, so that its next failure counts as the first.
            if (this.#receivedEvents) this.#failuresInARow = 0;
            this.#sender.send(command);
          },
          error: (error: unknown) => this.#giveUp(error),
          complete: () => this.subscription.unsubscribe(),
        }),
    );
  }

  /**
   * Makes an instance of the saga for each subscription: calls the function and subscribes to its commands, in the
   * saga's own async context.
   */
  #instances(): Observable<object> {
    return new Observable((subscriber) => {
      this.#startedMs = performance.now();
      this.#deliveredBefore = this.#inbox.delivered;
      this.#enter("running");
      // An observer of the state may have stopped the saga.
      if (subscriber.closed) return undefined;
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
        try {
          subscription.unsubscribe();
        } catch (error) {
          this.#saga.report(error);
        }
      };
    });
  }

  #commandsOf(events$: Observable<Envelope>): Observable<object> {
    const commands$: unknown = this.#project(events$);
    if (isObservable(commands$)) return commands$ as Observable<object>;
    ignored(commands$);
    const returned = isThenable(commands$) ? "a promise" : "a value that is not an Observable";
    throw new InvalidHandlerError(
      `Saga ${this.#saga.name} returned ${returned}; return the commands as an Observable.`,
    );
  }

  /** Whether the present instance has received an event. */
  get #receivedEvents(): boolean {
    return this.#inbox.delivered > this.#deliveredBefore;
  }

  /**
   * Emits when the saga is to be restarted, synchronously after its first failure in a row. Errors when it is given up.
   */
  #beforeRestart(error: unknown): Observable<void> {
    const { count = 10, delayMs = 100, maxDelayMs = 30_000 } = this.#restart;
    if (performance.now() - this.#startedMs >= maxDelayMs) this.#failuresInARow = 0;
    const failures = ++this.#failuresInARow;
    this.#saga.report(error);
    // Do not restart a saga that has received its last event.
    if (this.#inbox.exhausted) return EMPTY;
    if (failures > count) return throwError(() => new SagaFailedError(this.#saga.name, failures, error));
    this.restarts++;
    this.#enter("restarting");
    if (failures === 1 && this.#receivedEvents) return of(undefined);
    return new Observable((subscriber) =>
      startTimer(backoffMs(failures, delayMs, maxDelayMs), () => subscriber.next()),
    );
  }

  #giveUp(error: unknown): void {
    this.#end("failed");
    this.#saga.report(error);
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
      this.#saga.report(
        new CqrsError(
          `Saga ${this.#saga.name} had not completed when its bus was closed, and what it had begun is lost; ` +
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
}
