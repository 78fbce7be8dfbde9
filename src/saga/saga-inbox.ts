import { Subject, type Observable } from "rxjs";
import type { Follower } from "../core/bus/after-handlers.js";
import { dispatchDepth } from "../core/delivery/dispatch-depth.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { CqrsError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import {
  linkTo,
  runInAsyncLink,
  runInLink,
  useAsyncContext,
  type ChainLink,
  type EventLink,
} from "./causal-chain.js";
import type { SagaSettings } from "./saga-settings.js";

/** How many events wait for a saga that is being restarted; later ones are reported and lost. */
const MOST_WAITING = 10_000;

interface QueuedEvent {
  readonly link: EventLink;
  readonly depth: number;
  /** Only copied and never run in, because sagas share it, and Node 20 changes the stores of the one that runs. */
  readonly scope: AsyncScope;
}

/**
 * The events on their way to a saga: one at a time, so that the effects of an event come after it for every part
 * of the saga.
 */
export class SagaInbox implements Follower {
  /** How many events the saga has received. */
  delivered = 0;
  readonly #saga: SagaSettings;
  readonly #waiting: QueuedEvent[] = [];
  #events: Subject<Envelope> | undefined;
  #draining = false;
  #completing = false;
  #releaseContext: (() => void) | undefined;

  constructor(saga: SagaSettings) {
    this.#saga = saga;
  }

  /** Returns the events for a new instance of the saga. */
  open(): Observable<Envelope> {
    return (this.#events = new Subject<Envelope>()).asObservable();
  }

  close(): void {
    this.#events = undefined;
  }

  /**
   * Completes the events of the present instance, or of the next one if events wait for it; later events are
   * reported and lost.
   */
  complete(): void {
    this.#completing = true;
    this.drain();
  }

  /** True when the saga has received its last event. */
  get exhausted(): boolean {
    return this.#completing && this.#waiting.length === 0;
  }

  /** Forgets the events that wait, and stops using the async context, because the saga has ended. */
  end(): void {
    this.#waiting.length = 0;
    this.#releaseContext?.();
    this.#releaseContext = undefined;
  }

  /**
   * Returns whether the event of a link surely caused an emission now. If the saga has received another event since,
   * an operator such as `concatMap` may have kept that one and be handling it in the async context of this one.
   */
  isCertain(link: ChainLink): boolean {
    return link.number === this.delivered;
  }

  receive(event: LiveDelivery): void {
    if (this.#completing || this.#draining || this.#waiting.length > 0 || this.#events === undefined)
      return this.keep(event, captureContext());
    // Deliver the event without queueing it, because most events do not concern the saga, and queueing costs more.
    const link = linkTo(event, this);
    this.#draining = true;
    try {
      this.#deliver(link, this.#events);
    } finally {
      this.#draining = false;
    }
    if (this.#waiting.length > 0 || this.#completing) this.drain();
  }

  keep(event: LiveDelivery, scope: AsyncScope): void {
    if (this.#completing) return this.#miss(event, "its bus is closing, and it has received its last event");
    if (this.#waiting.length >= MOST_WAITING) return this.#miss(event, `${MOST_WAITING} events wait for it`);
    const { current: depth } = dispatchDepth;
    this.#waiting.push({ link: linkTo(event, this), depth, scope });
  }

  #miss({ typeName: messageType, envelope }: LiveDelivery, why: string): void {
    const text = `Saga ${this.#saga.name} misses ${messageType}: ${why}.`;
    this.#saga.report(new CqrsError(text, { messageType }), envelope);
  }

  drain(here?: AsyncScope): void {
    if (this.#draining) return;
    this.#draining = true;
    const { current: depth } = dispatchDepth;
    try {
      while (this.#events !== undefined && this.#waiting.length > 0) {
        const { link, depth, scope } = this.#waiting.shift()!;
        const events: Subject<Envelope> = this.#events;
        // Restore the depth of the event's dispatch, so that a saga that causes its own events reaches maxDepth.
        dispatchDepth.current = depth;
        if (scope === here) this.#deliver(link, events);
        else copyOf(scope).runInAsyncScope(() => this.#deliver(link, events));
      }
    } finally {
      dispatchDepth.current = depth;
      this.#draining = false;
    }
    if (this.exhausted) this.#events?.complete();
  }

  #deliver(link: EventLink, events: Subject<Envelope>): void {
    link.number = ++this.delivered;
    if (!this.#saga.asyncCauses) return runInLink(link, emit, events);
    this.#releaseContext ??= useAsyncContext();
    runInAsyncLink(link, emit, events);
  }
}

function copyOf(scope: AsyncScope): AsyncScope {
  return scope.runInAsyncScope(captureContext) as AsyncScope;
}

/** Emits an event. It is a function of the module, because a closure for each event would cost more. */
function emit(link: ChainLink, events: Subject<Envelope>): void {
  events.next(link.event);
}
