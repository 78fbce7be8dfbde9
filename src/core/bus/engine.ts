import type { Registration } from "../handlers/handler.js";
import { HandlerRegistry } from "../handlers/registry.js";
import type { StreamSink } from "../delivery/consume-stream.js";
import type { Closeable, DeliveryHost } from "../delivery/delivery-host.js";
import { dispatchDepth } from "../delivery/dispatch-depth.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import { ACCEPTED } from "../delivery/settlement.js";
import type { Fault, Refusal } from "../delivery/outcome.js";
import { reportingErrors } from "../delivery/reporting-errors.js";
import { checkCopy } from "../checks.js";
import { InvalidMiddlewareError } from "../errors.js";
import type { MessageKind } from "../messages/message.js";
import { checkMiddleware } from "../pipeline/check-middleware.js";
import { compose } from "../pipeline/compose.js";
import { middlewareName, type Step } from "../pipeline/form.js";
import type { Middleware } from "../pipeline/middleware.js";
import { systemClock, type Clock } from "../util/clock.js";
import { Admission } from "./admission.js";
import { checkedIds } from "./checked-ids.js";
import { Closing } from "./closing.js";
import { describeHandlers, describeParts } from "./describe.js";
import { channelOf, isWatched, runDiagnosed } from "./diagnostics.js";
import { Entrance } from "./entrance.js";
import { InFlight } from "./in-flight.js";
import { Observers } from "./observers.js";
import type { BusDescription, BusOptions, CloseReport, DispatchOptions } from "./options.js";

/** The differences between the three kinds of bus. */
export interface BusKind {
  readonly kind: MessageKind;
  /** The name of the class, as no minifier changes it. */
  readonly name: string;
  /** Middleware that `handle` puts around each handler. */
  readonly handlerMiddleware?: readonly Middleware[];
  /** Calls the handlers of a message. */
  readonly handle: (handlers: readonly Registration[], delivery: LiveDelivery) => unknown;
}

/** Ways to send a message other than `dispatch`. */
export interface SendOptions {
  /** Takes the values of a stream one by one. */
  readonly sink?: StreamSink;
  /** Takes the accepted delivery before it enters the pipeline, to abort it if its caller has left by then. */
  readonly accepted?: (delivery: LiveDelivery) => void;
  /** Takes the accepted delivery instead of the pipeline, to run it later. */
  readonly defer?: (delivery: LiveDelivery, pipeline: Step) => unknown;
  /** The event bus whose saga sends the message. A bus that closes together with it lets the message in. */
  readonly from?: DeliveryHost;
}

/**
 * The engine of a bus: messages enter through one Subject, pass the middleware as operators, and reach the
 * handlers of their type.
 *
 * The operators are joined into one function at construction, so that a message costs no subscription unless a
 * middleware needs one.
 */
export class Engine implements DeliveryHost {
  readonly name: string;
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  readonly clock: Clock;
  readonly ids: () => string;
  readonly registry: HandlerRegistry;
  readonly observers: Observers;
  readonly #handle: BusKind["handle"];
  readonly #handlerMiddleware: readonly Middleware[] | undefined;
  readonly #admission: Admission;
  readonly #diagnostics: ReturnType<typeof channelOf>;
  readonly #entrance = new Entrance();
  readonly #inFlight = new InFlight();
  /** Parts that end with the bus, such as operators that hold messages. */
  readonly #closeables = new Set<Closeable>();
  readonly #probeFrom: number;
  #middleware: readonly Middleware[] = [];
  #pipeline!: Step;
  #used = false;
  #closing: Closing | undefined = undefined;

  constructor(kind: BusKind, options: BusOptions) {
    this.kind = kind.kind;
    this.returnsValue = kind.kind === "query";
    this.#handle = kind.handle;
    this.#handlerMiddleware = kind.handlerMiddleware;
    this.name = options.name ?? kind.name;
    this.clock = options.clock ?? systemClock;
    checkCopy("registry", options.registry);
    this.registry = options.registry ?? new HandlerRegistry();
    this.registry.adopt(kind.kind);
    this.observers = new Observers(this.name);
    this.#admission = new Admission(this.name, kind.kind, this.registry, options);
    // A field of its own, because reading it through the admission would cost each dispatch more.
    this.#probeFrom = this.#admission.probeFrom;
    this.ids = checkedIds(options.ids, (error) =>
      this.report({ kind: "observer", source: `ids of ${this.name}`, error }),
    );
    this.#diagnostics = channelOf(kind.kind);
    this.use(options.middleware ?? []);
  }

  /** Adds middleware inside the present ones. */
  use(middleware: readonly Middleware[]): void {
    if (this.#used)
      throw new InvalidMiddlewareError(
        `${this.name} has handled messages; add middleware before the first one.`,
      );
    for (const [index, item] of middleware.entries()) checkMiddleware(item, `middleware[${index}]`);
    this.#middleware = [...this.#middleware, ...middleware];
    this.#admission.middlewareCount = this.#middleware.length;
    for (const closeable of this.#closeables) closeable.stop?.();
    this.#closeables.clear();
    const pipeline = compose(this.#middleware, this.#toHandlers, {
      host: this,
      outermost: true,
      attach: (closeable) => this.attach(closeable),
    });
    // eslint-disable-next-line rxjs-x/no-ignored-error -- the entrance never errors
    this.#entrance.subscribe(pipeline);
    this.#pipeline = pipeline;
  }

  get hasMiddleware(): boolean {
    return this.#middleware.length > 0;
  }

  attach(closeable: Closeable): () => void {
    this.#closeables.add(closeable);
    return () => this.#closeables.delete(closeable);
  }

  // One message ----------------------------------------------------------------------------------------------------

  /** Runs a message up to its first suspension. Never throws: the delivery is rejected instead. */
  send(message: object, options?: DispatchOptions, sendOptions?: SendOptions): LiveDelivery {
    const delivery = new LiveDelivery(this, message, this.registry.find(message));
    if (
      delivery.handlers === undefined ||
      options !== undefined ||
      sendOptions !== undefined ||
      this.#closing !== undefined ||
      (dispatchDepth.current >= this.#probeFrom && this.#admission.tooDeep())
    )
      return this.#sendChecked(delivery, options, sendOptions);
    this.#accept(delivery);
    return delivery;
  }

  #sendChecked(
    delivery: LiveDelivery,
    options: DispatchOptions = {},
    sendOptions?: SendOptions,
  ): LiveDelivery {
    try {
      delivery = this.#admission.admit(delivery, options, this.#closing, sendOptions?.from);
    } catch (error) {
      this.refuse(delivery.typeName, error);
      delivery.deny(error);
      return delivery;
    }
    const { causedBy, signal } = options;
    const { sink, accepted, defer } = sendOptions ?? {};
    if (sink !== undefined) delivery.links.consumption = sink;
    this.#accept(delivery, () => {
      // The message is accepted by now, so that one that is cancelled before it begins has an outcome, too.
      if (causedBy !== undefined) delivery.cancelWith(causedBy);
      if (signal !== undefined) delivery.abortOn(signal);
      accepted?.(delivery);
      if (defer === undefined) this.#enter(delivery);
      else delivery.run(() => defer(delivery, this.#pipeline));
    });
    return delivery;
  }

  /** Reports on `refused$` a message that the bus does not accept. */
  refuse(messageType: string, error: unknown): void {
    const { refused } = this.observers;
    if (!refused.observed) return;
    const time = reportingErrors(this, `clock of ${this.name}`, () => this.clock.now()) ?? NaN;
    this.observers.deliver<Refusal>(refused, { messageType, error, time });
  }

  /** Lets a message in, tells the observers, and starts it. */
  #accept(delivery: LiveDelivery, start?: (delivery: LiveDelivery) => void): void {
    const depth = dispatchDepth.current;
    delivery.status = ACCEPTED;
    delivery.depth = dispatchDepth.current = depth + 1;
    this.#inFlight.count++;
    this.#used = true;
    const { messages, outcomes } = this.observers;
    try {
      if (messages.observed || outcomes.observed) this.observers.accepted(delivery);
      if (isWatched(this.#diagnostics)) runDiagnosed(delivery, start ?? this.#enter, this.#diagnostics);
      else if (start === undefined) this.#entrance.next(delivery);
      else start(delivery);
    } catch (error) {
      // Only the stack can overflow here, because code of users runs inside try and catch further down.
      delivery.fail(error);
    }
    dispatchDepth.current = depth;
    if (delivery.pending) this.#inFlight.join(delivery);
  }

  readonly #enter = (delivery: LiveDelivery): void => this.#entrance.next(delivery);

  /** The end of the pipeline. A middleware may have changed the type, even to one without a handler. */
  readonly #toHandlers = (delivery: LiveDelivery): unknown =>
    this.#handle(delivery.handlers ?? this.#admission.handlersOf(delivery.message), delivery);

  ended(delivery: LiveDelivery): void {
    this.#inFlight.leave(delivery);
    if (this.observers.outcomes.observed) this.observers.settled(delivery);
    if (this.#closing !== undefined) this.#closing.ended();
  }

  report(fault: Fault): void {
    this.observers.report(fault);
  }

  // All messages in flight -----------------------------------------------------------------------------------------

  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** Returns the deliveries in flight that did not settle synchronously, oldest first. */
  pending(): readonly LiveDelivery[] {
    return this.#inFlight.toArray();
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Closes the bus. The earliest deadline of several calls holds. */
  close(timeoutMs: number): Promise<CloseReport> {
    const closing = this.beginToClose();
    closing.flush();
    closing.group.endWhenIdle();
    closing.group.endAfter(timeoutMs, [closing]);
    return closing.report;
  }

  /** Ends a bus that is closing, if it waits for nothing any more. */
  endIfIdle(): void {
    this.#closing?.group.endWhenIdle();
  }

  /** Ends everything now: what is in flight is aborted, and the observables complete after the last outcome. */
  stop(): void {
    const closing = this.beginToClose();
    closing.group.end([closing]);
  }

  /** Refuses messages from outside from now on. */
  beginToClose(): Closing {
    return (this.#closing ??= new Closing(this, this.#inFlight, this.#closeables, () =>
      this.observers.complete(),
    ));
  }

  describe(): BusDescription {
    return {
      name: this.name,
      kind: this.kind,
      middleware: this.#middleware.map(middlewareName),
      handlers: describeHandlers(this.registry),
      ...(this.#handlerMiddleware && { handlerMiddleware: this.#handlerMiddleware.map(middlewareName) }),
      ...describeParts(this.#closeables, this.#middleware),
      inFlight: this.#inFlight.count,
      closed: this.closed,
    };
  }
}
