import type { Step } from "../pipeline/form.js";
import { monotonicNow, systemClock, type Clock } from "../util/clock.js";
import { Closing } from "./closing.js";
import { checkSignal } from "../delivery/abort.js";
import { channelOf, isWatched, runDiagnosed } from "./diagnostics.js";
import { checkedHeaders, isEnvelope } from "../messages/envelope.js";
import {
  BusClosedError,
  DispatchDepthExceededError,
  InvalidMessageError,
  InvalidMiddlewareError,
} from "../errors.js";
import { checkedIds } from "../util/ids.js";
import { InFlight } from "./in-flight.js";
import { FULFILLED, LiveDelivery } from "../delivery/live-delivery.js";
import type { DeliveryHost, Closeable } from "../delivery/delivery-host.js";
import { nameOf, typeOf, type MessageKind } from "../messages/message.js";
import { middlewareName, type Middleware } from "../pipeline/middleware.js";
import { dispatchDepth } from "../delivery/dispatch-depth.js";
import { Observers } from "./observers.js";
import { type BusDescription, type BusOptions, type CloseReport, type DispatchOptions } from "./options.js";
import type { Fault, Outcome } from "../delivery/outcome.js";
import { compose, checkMiddleware } from "../pipeline/compose.js";
import { registrationOf } from "../handlers/check-handler.js";
import type { Registration } from "../handlers/handler.js";
import { checkKind, HandlerRegistry } from "../handlers/registry.js";
import type { Take } from "../delivery/consume-stream.js";
import { hasStackRoom } from "../delivery/stack.js";
import { isThenable } from "../util/thenable.js";

/** In what the three kinds of bus differ. */
export interface BusKind {
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  /** Whether a message without a handler is refused. */
  readonly needsHandler: boolean;
  /** What calls the handlers of a message. */
  readonly handle: (handlers: readonly Registration[], delivery: LiveDelivery) => unknown;
}

/** How a message is sent other than by `dispatch`. */
export interface SendOptions {
  /** Takes the values of a stream one by one. */
  readonly take?: Take;
  /** Takes the accepted delivery instead of the pipeline, which it may run later. */
  readonly defer?: (delivery: LiveDelivery, run: Step) => unknown;
}

/** What all buses are underneath: admission, the pipeline, the messages in flight, the observers, closing. */
export class Engine implements DeliveryHost {
  readonly name: string;
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  readonly clock: Clock;
  readonly ids: () => string;
  readonly registry: HandlerRegistry;
  readonly observers: Observers;
  readonly #kind: BusKind;
  readonly #maxDepth: number;
  /** From what depth on it is looked at more closely. */
  readonly #deep: number;
  readonly #fallback: readonly Registration[] | undefined;
  readonly #diagnostics: ReturnType<typeof channelOf>;
  readonly #inFlight = new InFlight();
  /** What the bus has open besides messages, such as operators that hold some. */
  readonly #parts = new Set<Closeable>();
  #middleware: readonly Middleware[] = [];
  #run!: Step;
  #used = false;
  #closing: Closing | undefined = undefined;

  constructor(kind: BusKind, options: BusOptions, name: string) {
    this.#kind = kind;
    this.kind = kind.kind;
    this.returnsValue = kind.returnsValue;
    this.name = options.name ?? name;
    this.clock = options.clock ?? systemClock;
    this.registry = options.registry ?? new HandlerRegistry();
    this.registry.adopt(kind.kind);
    this.observers = new Observers(this.name);
    this.#maxDepth = options.maxDepth ?? 256;
    this.#deep = Math.min(this.#maxDepth, 16);
    const { fallback, ids } = options;
    this.#fallback = fallback && [{ ...registrationOf("The fallback", fallback), name: "fallback" }];
    this.ids = checkedIds(ids, (error) =>
      this.report({ kind: "observer", source: `ids of ${this.name}`, error }),
    );
    this.#diagnostics = channelOf(kind.kind);
    this.use(options.middleware ?? []);
  }

  /** Adds middleware inside what there is. */
  use(middleware: readonly Middleware[]): void {
    if (this.#used)
      throw new InvalidMiddlewareError(
        `${this.name} has handled messages; add middleware before the first one.`,
      );
    for (const [index, item] of middleware.entries()) checkMiddleware(item, `middleware[${index}]`);
    this.#middleware = [...this.#middleware, ...middleware];
    for (const part of this.#parts) part.stop();
    this.#run = compose(this.#middleware, this.#toHandler, {
      host: this,
      outermost: true,
      attach: (part) => this.attach(part),
    });
  }

  attach(part: Closeable): () => void {
    this.#parts.add(part);
    return () => this.#parts.delete(part);
  }

  // One message ----------------------------------------------------------------------------------------------------

  /** Runs a message up to its first suspension. Never throws: the delivery is rejected instead. */
  send(message: object, options?: DispatchOptions, manner?: SendOptions): LiveDelivery {
    let handlers: readonly Registration[] | undefined;
    try {
      handlers = this.registry.find(message);
    } catch {
      // Nothing, or what cannot even be looked at: refused below.
    }
    const delivery = new LiveDelivery(this, message, handlers);
    if (
      handlers === undefined ||
      options !== undefined ||
      manner !== undefined ||
      this.#closing !== undefined ||
      (dispatchDepth.current >= this.#deep && this.#tooDeep())
    )
      return this.#sendChecked(delivery, options ?? {}, manner);
    this.#process(delivery, this.#run);
    return delivery;
  }

  #sendChecked(
    delivery: LiveDelivery,
    options: DispatchOptions,
    manner: SendOptions | undefined,
  ): LiveDelivery {
    let headers, causedBy: DispatchOptions["causedBy"], signal: AbortSignal | undefined;
    try {
      ({ headers, causedBy, signal } = options);
      if (delivery.handlers === undefined && isEnvelope(delivery.message))
        delivery = LiveDelivery.of(this, delivery.message, this.registry.find(delivery.message.payload));
      this.#admit(delivery, causedBy);
      if (headers !== undefined) delivery.addHeaders(checkedHeaders(headers));
      if (signal !== undefined) checkSignal(signal, "options.signal");
      if (causedBy !== undefined) delivery.inherit(causedBy);
    } catch (error) {
      // Not let in: it has no outcome, only its promise.
      delivery.fail(error);
      return delivery;
    }
    const { take, defer } = manner ?? {};
    if (take !== undefined) {
      delivery.extras.streaming = true;
      delivery.extras.values = take;
    }
    this.#process(delivery, (delivery) => {
      // Accepted by now: what is cancelled before it begins has an outcome, too.
      if (causedBy !== undefined) delivery.cancelWith(causedBy);
      if (signal !== undefined) delivery.abortOn(signal);
      if (!delivery.pending) return undefined;
      return defer === undefined ? this.#run(delivery) : defer(delivery, this.#run);
    });
    return delivery;
  }

  /** Refuses at the door, before any middleware and any observer. */
  #admit(delivery: LiveDelivery, causedBy: DispatchOptions["causedBy"]): void {
    const { message } = delivery;
    if (message == null)
      throw new InvalidMessageError(
        `${this.name} was given ${String(message)} for a message; pass an instance of a registered class.`,
      );
    const { typeName } = delivery;
    // While closing, what is in flight may still cause what it needs to finish.
    const partOfWork = this.#closing?.over === false && causedBy instanceof LiveDelivery && causedBy.pending;
    if (this.#closing !== undefined && !partOfWork) throw new BusClosedError(this.name, typeName);
    if (dispatchDepth.current >= this.#deep && this.#tooDeep())
      throw new DispatchDepthExceededError(this.name, typeName, dispatchDepth.current);
    delivery.handlers ??= this.#handlersOf(message);
  }

  /** A kilobyte of the stack for each middleware is usual. */
  #tooDeep(): boolean {
    return dispatchDepth.current >= this.#maxDepth || !hasStackRoom(4 + 2 * this.#middleware.length);
  }

  #handlersOf(message: object): readonly Registration[] {
    const handlers = this.registry.find(message);
    if (handlers !== undefined) return handlers;
    const type = typeOf(message);
    if (this.#fallback === undefined && this.#kind.needsHandler && typeof message !== "function")
      throw this.registry.notFound(type);
    // What nobody has registered is fine for an event, and for a fallback; what is no message is a mistake that nobody would notice.
    if (typeof message !== "object" || Array.isArray(message) || isThenable(message))
      throw new InvalidMessageError(
        typeof message === "function"
          ? `${this.name} was given a function or class for a message; pass an instance: did you forget new?`
          : `${this.name} was given what is no message; pass an instance of a class.`,
      );
    if (type !== undefined) checkKind(type, this.kind);
    return this.#fallback ?? [];
  }

  #process(delivery: LiveDelivery, step: Step): void {
    const depth = dispatchDepth.current;
    delivery.depth = dispatchDepth.current = depth + 1;
    this.#inFlight.count++;
    this.#used = true;
    const { messages, outcomes } = this.observers;
    try {
      if (messages.observed || outcomes.observed) {
        delivery.startedMs = monotonicNow(this.clock);
        if (messages.observed) this.observers.deliver(messages, delivery.envelope);
      }
      if (isWatched(this.#diagnostics)) runDiagnosed(delivery, step, this.#diagnostics);
      else delivery.run(step);
    } catch (error) {
      // Only the stack can overflow here: everything that others wrote is called by those who catch what it throws.
      delivery.fail(error);
    }
    dispatchDepth.current = depth;
    if (delivery.pending) this.#inFlight.join(delivery);
  }

  /** The end of the pipeline. A middleware may have changed the type, or reached a type that nobody handles. */
  readonly #toHandler = (delivery: LiveDelivery): unknown =>
    this.#kind.handle(delivery.handlers ?? this.#handlersOf(delivery.message), delivery);

  ended(delivery: LiveDelivery): void {
    this.#inFlight.leave(delivery);
    if (this.observers.outcomes.observed) this.#tellOutcome(delivery);
    if (this.#closing !== undefined) this.#closing.ended();
  }

  #tellOutcome(delivery: LiveDelivery): void {
    const { envelope, status, result, attempts: attempts } = delivery;
    let durationMs = NaN;
    try {
      durationMs = delivery.elapsedMs();
    } catch (error) {
      // A clock that somebody injected: the message has ended all the same.
      this.report({ kind: "observer", source: `clock of ${this.name}`, error });
    }
    const depth = dispatchDepth.current;
    // What an observer of this outcome causes is one deeper, however long the message took.
    dispatchDepth.current = Math.max(depth, delivery.depth);
    this.observers.deliver<Outcome>(
      this.observers.outcomes,
      status === FULFILLED
        ? { status: "fulfilled", value: result, envelope, durationMs, attempts }
        : { status: "rejected", reason: result, envelope, durationMs, attempts },
    );
    dispatchDepth.current = depth;
  }

  report(fault: Fault): void {
    this.observers.report(fault);
  }

  // All messages in flight -----------------------------------------------------------------------------------------

  get inFlight(): number {
    return this.#inFlight.count;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Called again, the shorter of the deadlines holds. */
  close(timeoutMs: number): Promise<CloseReport> {
    if (this.#closing === undefined) {
      this.#closing = this.#beginToClose();
      for (const part of this.#parts) this.#harmless(() => part.flush?.());
      if (this.#inFlight.count === 0) this.#closing.endSoon();
    }
    this.#closing.endAfter(timeoutMs);
    return this.#closing.report;
  }

  /** Ends everything now: what is in flight is aborted, and the observables complete after the last outcome. */
  stop(): void {
    (this.#closing ??= this.#beginToClose()).end();
  }

  #beginToClose(): Closing {
    return new Closing(this.#inFlight, (left) => {
      for (const delivery of left) delivery.abort(new BusClosedError(this.name, delivery.typeName));
      for (const part of this.#parts) this.#harmless(() => part.stop());
      this.observers.complete();
    });
  }

  /** What others want to be done at the end, such as teardowns of streams, must not keep the bus from it. */
  #harmless(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.report({ kind: "observer", source: `close() of ${this.name}`, error });
    }
  }

  describe(): BusDescription {
    return {
      name: this.name,
      kind: this.kind,
      middleware: this.#middleware.map(middlewareName),
      handlers: Array.from(this.registry.entries(), ([type, registrations]) => ({
        messageType: nameOf(type),
        handlers: registrations.map(({ name }) => name),
      })),
      inFlight: this.#inFlight.count,
      closed: this.closed,
    };
  }
}
