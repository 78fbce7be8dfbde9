import { isObservable, ReplaySubject, Subject, Subscription, type Observable } from "rxjs";
import { captureContext, NO_SCOPE, type AsyncScope } from "../core/util/async-context.js";
import { backoffMs, checkMs, checkWhole } from "../reactive/retry-options.js";
import type { CommandBus } from "../buses/command-bus.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Engine } from "../core/bus/engine.js";
import type { Envelope } from "../core/messages/envelope.js";
import {
  CqrsError,
  InvalidHandlerError,
  InvalidMessageError,
  LoopDetectedError,
  SagaFailedError,
} from "../core/errors.js";
import { onHandled } from "../core/bus/after-handlers.js";
import { catchObserverErrors } from "../core/util/guarded-observable.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { dispatchDepth } from "../core/delivery/dispatch-depth.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import {
  currentReaction,
  cycleIn,
  effectOf,
  reacting,
  reactionTo,
  remember,
  type Reaction,
} from "./causal-chain.js";

/** How many events wait for a saga that is being restarted; further ones are reported. */
const MOST_WAITING = 10_000;

export interface SagaOptions {
  readonly restart?: {
    /** How often in a row it is restarted before it is given up; `Infinity` for ever. @defaultValue 10 */
    readonly count?: number;
    /** The wait before a restart, doubled from one to the next; none for the first after an event. @defaultValue 100 */
    readonly delayMs?: number;
    /** What no wait exceeds. A saga that runs for so long, or reacts, starts counting anew. @defaultValue 30_000 */
    readonly maxDelayMs?: number;
  };
  /**
   * How many reactions of sagas may lead to each other before the chain is cut with `LoopDetectedError`; `Infinity` for a process that
   * keeps itself going by timers. @defaultValue 64
   */
  readonly maxHops?: number;
  /** For faults and errors. @defaultValue the name of the function */
  readonly name?: string;
}

export type SagaState = "running" | "restarting" | "failed" | "stopped";

/** Unsubscribing stops the saga. */
export interface SagaSubscription extends Subscription {
  readonly state: SagaState;
  /** The state, now and as it changes; completes when the saga has stopped or failed. */
  readonly state$: Observable<SagaState>;
}

/** Given the events of a bus, says which commands follow. */
export type SagaFunction = (events$: Observable<Envelope>) => Observable<object>;

/** An event on its way to a saga. */
interface Arrival {
  readonly reaction: Reaction;
  readonly depth: number;
  readonly scope: AsyncScope;
}

/** One life of the function. */
class Life {
  // eslint-disable-next-line rxjs-x/no-exposed-subjects -- this class does not leave the file
  readonly events = new Subject<Envelope>();
  readonly subscription = new Subscription();
  readonly startedMs = performance.now();
  delivered = 0;
  /** It has emitted after an event, so it is good for something. */
  reacted = false;
}

/** Runs a saga, one life after the other. */
export class SagaRunner {
  readonly #engine: Engine;
  readonly #commandBus: CommandBus;
  readonly #project: SagaFunction;
  readonly #name: string;
  readonly #restart: Required<NonNullable<SagaOptions["restart"]>>;
  readonly #maxHops: number;
  readonly #states = new ReplaySubject<SagaState>(1);
  /** Where it was made: what it begins by itself belongs to no event. */
  readonly #ownScope = captureContext();
  readonly #waiting: Arrival[] = [];
  readonly #leave = new Subscription();
  #state: SagaState | undefined;
  #life: Life | undefined;
  #busy = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(engine: Engine, commandBus: CommandBus, project: SagaFunction, options: SagaOptions) {
    const { restart, maxHops = 64, name } = options;
    const { count = 10, delayMs = 100, maxDelayMs = 30_000 } = restart ?? {};
    checkWhole(count, 0, "options.restart.count");
    checkMs(delayMs, "options.restart.delayMs");
    checkMs(maxDelayMs, "options.restart.maxDelayMs");
    checkWhole(maxHops, 1, "options.maxHops");
    this.#engine = engine;
    this.#commandBus = commandBus;
    this.#project = project;
    this.#name = name ?? (project.name || "saga");
    this.#restart = { count, delayMs, maxDelayMs };
    this.#maxHops = maxHops;
  }

  get state(): SagaState {
    return this.#state ?? "running";
  }

  readonly state$ = catchObserverErrors(this.#states, (error) => this.#report(error));

  run(whenEnded: () => void): void {
    this.#leave.add(onHandled(this.#engine, (event) => this.#arrived(event)));
    this.#leave.add(this.#engine.attach({ stop: () => this.#busClosed() }));
    this.#leave.add(whenEnded);
    // There will be no events, and nobody who tells of the end.
    if (this.#engine.closed) this.stop();
    else this.#start();
  }

  stop(): void {
    this.#end("stopped");
  }

  /** What it keeps for the end, it may still say. */
  #busClosed(): void {
    this.#life?.events.complete();
    this.stop();
  }

  // Its lives ------------------------------------------------------------------------------------------------------

  #start(): void {
    const life = new Life();
    this.#life = life;
    this.#enter("running");
    this.#ownScope.runInAsyncScope(() => {
      try {
        const commands$: unknown = this.#project(life.events.asObservable());
        if (!isObservable(commands$))
          throw new InvalidHandlerError(
            `Saga ${this.#name} returned ${isPromise(commands$) ? "a promise" : "no Observable"}; return the commands as an Observable.`,
          );
        life.subscription.add(
          commands$.subscribe({
            next: (command) => this.#emitted(life, command),
            error: (error: unknown) => this.#failed(life, error),
            complete: () => this.#life === life && this.stop(),
          }),
        );
      } catch (error) {
        this.#failed(life, error);
      }
    });
  }

  #failed(life: Life, error: unknown): void {
    if (this.#life !== life) return;
    this.#leaveLife();
    const { count, delayMs, maxDelayMs } = this.#restart;
    if (life.reacted || performance.now() - life.startedMs >= maxDelayMs) this.#failures = 0;
    const failures = ++this.#failures;
    this.#report(error);
    // Whoever heard of it may have stopped it.
    if (this.#over) return;
    if (failures > count) {
      this.#end("failed");
      this.#report(new SagaFailedError(this.#name, failures, error));
      return;
    }
    this.#enter("restarting");
    if (this.#over) return;
    if (failures === 1 && life.delivered > 0) return this.#start();
    this.#timer = setTimeout(
      () => {
        this.#start();
        this.#deal();
      },
      backoffMs(failures, delayMs, maxDelayMs),
    );
    (this.#timer as { unref?(): void }).unref?.();
  }

  #leaveLife(): void {
    const life = this.#life;
    this.#life = undefined;
    try {
      life?.subscription.unsubscribe();
    } catch (error) {
      this.#report(error);
    }
  }

  #end(state: "failed" | "stopped"): void {
    if (this.#over) return;
    this.#enter(state);
    this.#leaveLife();
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#states.complete();
    this.#leave.unsubscribe();
  }

  get #over(): boolean {
    return this.#state === "failed" || this.#state === "stopped";
  }

  #enter(state: SagaState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#states.next(state);
  }

  // Events ---------------------------------------------------------------------------------------------------------

  #arrived(event: LiveDelivery): void {
    const reaction = reactionTo(event, this);
    const depth = dispatchDepth.current;
    if (!this.#busy && this.#life !== undefined) {
      this.#waiting.push({ reaction, depth, scope: NO_SCOPE });
      this.#deal();
    } else if (this.#waiting.length < MOST_WAITING) {
      this.#waiting.push({ reaction, depth, scope: captureContext() });
    } else {
      this.#report(
        new CqrsError(`${MOST_WAITING} events wait for saga ${this.#name}; it misses ${event.typeName}.`, {
          messageType: event.typeName,
        }),
        reaction.event,
      );
    }
  }

  /** One event at a time: what it causes comes after it, for all parts of the saga. */
  #deal(): void {
    if (this.#busy) return;
    this.#busy = true;
    const depth = dispatchDepth.current;
    try {
      while (this.#life !== undefined && this.#waiting.length > 0) {
        const life: Life = this.#life;
        const arrival = this.#waiting.shift()!;
        life.delivered++;
        dispatchDepth.current = arrival.depth;
        arrival.scope.runInAsyncScope(() =>
          reacting(arrival.reaction, () => life.events.next(arrival.reaction.event)),
        );
      }
    } finally {
      dispatchDepth.current = depth;
      this.#busy = false;
    }
  }

  // Commands -------------------------------------------------------------------------------------------------------

  #emitted(life: Life, command: unknown): void {
    if (this.#life !== life) return;
    if (life.delivered > 0) life.reacted = true;
    const current = currentReaction();
    const event = current?.saga === this ? current.event : undefined;
    let name: string;
    try {
      name = this.#commandName(command);
    } catch (error) {
      return this.#report(error, event);
    }
    if (current === undefined) return this.#dispatch(command as object, event, undefined);
    if (current.hops < this.#maxHops) {
      const effect = effectOf(current, name);
      return reacting(effect, () => this.#dispatch(command as object, event, effect));
    }
    this.#report(
      new LoopDetectedError(this.#name, name, this.#maxHops, cycleIn([...current.names, name])),
      event,
    );
  }

  /** @throws InvalidMessageError for what is no command */
  #commandName(command: unknown): string {
    const refuse = (problem: string, cause?: unknown): never => {
      throw new InvalidMessageError(`Saga ${this.#name} emitted ${problem}.`, { cause });
    };
    if (command === null) refuse("null; filter out what is no command");
    if (typeof command !== "object")
      refuse(`a value of type ${typeof command}; filter out what is no command`);
    let name: string | undefined;
    try {
      if (!isPromise(command)) name = nameOf(typeOf(command));
    } catch (cause) {
      refuse("a command whose type cannot be read (see cause)", cause);
    }
    return name ?? refuse("a promise; use mergeMap or concatMap where it is made with map");
  }

  #dispatch(command: object, event: Envelope | undefined, effect: Reaction | undefined): void {
    const delivery = this.#commandBus.engine.send(command, event && { causedBy: event });
    if (effect !== undefined && delivery.pending) remember(delivery, effect);
    delivery.whenSettled(() => {
      if (delivery.status !== FULFILLED) this.#report(delivery.result, delivery.envelope);
    });
  }

  #report(error: unknown, envelope?: Envelope): void {
    this.#engine.report({ kind: "saga", source: this.#name, error, envelope });
  }
}

/** What it rejects with is not told: that it is a promise has to be put right first. */
function isPromise(value: unknown): boolean {
  if (!isThenable(value)) return false;
  asPromise(value).then(undefined, () => undefined);
  return true;
}
