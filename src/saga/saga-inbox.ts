import { Subject, type Observable } from "rxjs";
import { dispatchDepth } from "../core/delivery/dispatch-depth.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { CqrsError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { captureContext, NO_SCOPE, type AsyncScope } from "../core/util/async-context.js";
import { linkTo, runInLink, type ChainLink } from "./causal-chain.js";

/** How many events wait for a saga that is being restarted; later ones are reported and lost. */
const MOST_WAITING = 10_000;

interface QueuedEvent {
  readonly link: ChainLink;
  readonly depth: number;
  readonly scope: AsyncScope;
}

/** The events on their way to a saga: one at a time, so that the effects of an event come after it for every part of the saga. */
export class SagaInbox {
  /** How many events the saga has received. */
  delivered = 0;
  readonly #saga: string;
  readonly #report: (error: unknown, envelope: Envelope) => void;
  readonly #waiting: QueuedEvent[] = [];
  #events: Subject<Envelope> | undefined;
  #draining = false;

  constructor(saga: string, report: (error: unknown, envelope: Envelope) => void) {
    this.#saga = saga;
    this.#report = report;
  }

  /** Returns the events for a new instance of the saga. */
  open(): Observable<Envelope> {
    return (this.#events = new Subject<Envelope>()).asObservable();
  }

  close(): void {
    this.#events = undefined;
  }

  /** Completes the events of the present instance, on which its operators emit what they keep. */
  complete(): void {
    this.#events?.complete();
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  push(event: LiveDelivery): void {
    const link = linkTo(event, this);
    const { current: depth } = dispatchDepth;
    if (!this.#draining && this.#events !== undefined) {
      this.#waiting.push({ link, depth, scope: NO_SCOPE });
      this.drain();
    } else if (this.#waiting.length < MOST_WAITING) {
      this.#waiting.push({ link, depth, scope: captureContext() });
    } else {
      const { typeName: messageType } = event;
      const text = `${MOST_WAITING} events wait for saga ${this.#saga}; it misses ${messageType}.`;
      this.#report(new CqrsError(text, { messageType }), link.event);
    }
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    const { current: depth } = dispatchDepth;
    try {
      while (this.#events !== undefined && this.#waiting.length > 0) {
        const events: Subject<Envelope> = this.#events;
        const queued = this.#waiting.shift()!;
        this.delivered++;
        // At the depth of its own dispatch, so that a saga that causes its own events gets deeper.
        dispatchDepth.current = queued.depth;
        queued.scope.runInAsyncScope(() => runInLink(queued.link, () => events.next(queued.link.event)));
      }
    } finally {
      dispatchDepth.current = depth;
      this.#draining = false;
    }
  }
}
