import { checkSignal } from "./cancellation.js";
import { LONGEST_TIMEOUT_MS, monotonicNow, uniqueId, systemClock, type Clock } from "./clock.js";
import { FULFILLED, LiveDelivery, type Owner } from "./delivery.js";
import { channelOf, isWatched, runDiagnosed } from "./diagnostics.js";
import { checkedHeaders, isEnvelope, type Envelope } from "./envelope.js";
import {
  BusClosedError,
  DispatchDepthExceededError,
  InvalidMessageError,
  InvalidMiddlewareError,
} from "./errors.js";
import { nameOf, typeOf, type MessageKind } from "./message.js";
import { middlewareName, type Middleware, type Part, type Step } from "./middleware.js";
import { InFlight } from "./in-flight.js";
import { nesting, Observers } from "./observers.js";
import type { BusDescription, BusOptions, CloseReport, DispatchOptions } from "./options.js";
import type { Fault } from "./outcome.js";
import { build, checkMiddleware } from "./pipeline.js";
import { HandlerRegistry, type Registration } from "./registry.js";
import { type Take } from "./results.js";
import { isThenable } from "./thenable.js";

/** In what the three kinds of bus differ. */
export interface Kind {
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  /** Whether a message without a handler is refused. */
  readonly needsHandler: boolean;
  /** For events: calls all handlers. @defaultValue the one handler is called */
  readonly handle?: (handlers: readonly Registration[], delivery: LiveDelivery) => unknown;
}

/** Takes a delivery that has been accepted, instead of the pipeline, which it may run later. */
export type Keep = (delivery: LiveDelivery, run: Step) => unknown;

type State = "open" | "closing" | "closed";

/** What all buses are underneath: admission, the pipeline, the messages in flight, the observers, closing. */
export class Engine implements Owner {
  readonly name: string;
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  readonly clock: Clock;
  readonly ids: () => string;
  readonly registry: HandlerRegistry;
  readonly observers: Observers;
  readonly #needsHandler: boolean;
  readonly #handle: Kind["handle"];
  readonly #maxDepth: number;
  readonly #fallback: readonly Registration[] | undefined;
  readonly #diagnostics: ReturnType<typeof channelOf>;
  readonly #inFlight = new InFlight();
  /** What the bus has open besides messages, such as operators that hold some. */
  readonly #parts = new Set<Part>();
  #middleware: readonly Middleware[] = [];
  #run!: Step;
  #used = false;
  #state: State = "open";
  #endedWhileClosing = 0;
  #drained: (() => void) | undefined = undefined;
  #giveUpAfter: ((timeoutMs: number) => void) | undefined = undefined;
  #closing: Promise<CloseReport> | undefined = undefined;

  constructor(kind: Kind, options: BusOptions, name: string) {
    const {
      registry = new HandlerRegistry(),
      fallback,
      maxDepth = 256,
      clock = systemClock,
      ids = uniqueId,
    } = options;
    if (!(maxDepth >= 1))
      throw new InvalidMessageError(`maxDepth must be at least 1; received ${String(maxDepth)}.`);
    registry.adopt(kind.kind);
    this.name = options.name ?? name;
    this.kind = kind.kind;
    this.returnsValue = kind.returnsValue;
    this.#diagnostics = channelOf(kind.kind);
    this.#needsHandler = kind.needsHandler;
    this.#handle = kind.handle;
    this.registry = registry;
    this.#maxDepth = maxDepth;
    this.clock = clock;
    this.ids = ids;
    this.observers = new Observers(this.name);
    this.#fallback = fallback && [
      { handler: fallback, name: "fallback", run: (delivery) => fallback(delivery.message, delivery) },
    ];
    this.use(options.middleware ?? []);
  }

  /** Adds middleware inside what there is. */
  use(middleware: readonly Middleware[]): void {
    if (this.#used)
      throw new InvalidMiddlewareError(
        `${this.name} has handled messages; add middleware before the first one.`,
      );
    checkMiddleware(middleware);
    this.#middleware = [...this.#middleware, ...middleware];
    for (const part of this.#parts) part.stop();
    this.#run = build(this.#middleware, this.#toHandler, {
      owner: this,
      outermost: true,
      attach: (part) => this.attach(part),
    });
  }

  attach(part: Part): () => void {
    this.#parts.add(part);
    return () => this.#parts.delete(part);
  }

  // One message ----------------------------------------------------------------------------------------------------

  /** Runs a message up to its first suspension. Never throws: the delivery is rejected instead. */
  send(message: object, options?: DispatchOptions, values?: Take, keep?: Keep): LiveDelivery {
    let handlers: readonly Registration[] | undefined;
    try {
      handlers = message == null ? undefined : this.registry.find(message);
      if (handlers === undefined && isEnvelope(message))
        return this.#sendEnvelope(message, options, values, keep);
    } catch (error) {
      // A message that cannot even be looked at.
      return refused(new LiveDelivery(this, message), error);
    }
    const delivery = new LiveDelivery(this, message, handlers);
    if (
      handlers === undefined ||
      options !== undefined ||
      values !== undefined ||
      keep !== undefined ||
      this.#state !== "open" ||
      nesting.depth >= this.#maxDepth
    ) {
      return this.#sendChecked(delivery, options, values, keep);
    }
    this.#process(delivery);
    return delivery;
  }

  /** An envelope, perhaps from elsewhere: its message under its own metadata. */
  #sendEnvelope(
    envelope: Envelope,
    options: DispatchOptions | undefined,
    values: Take | undefined,
    keep: Keep | undefined,
  ): LiveDelivery {
    const delivery = new LiveDelivery(this, envelope.payload, this.registry.find(envelope.payload));
    const { extras } = delivery;
    const { id, correlationId, causationId, headers } = envelope.meta;
    delivery.seen = envelope;
    extras.id = id;
    extras.correlationId = correlationId;
    extras.causationId = causationId;
    extras.headers = headers;
    return this.#sendChecked(delivery, options, values, keep);
  }

  #sendChecked(
    delivery: LiveDelivery,
    options: DispatchOptions | undefined,
    values: Take | undefined,
    keep: Keep | undefined,
  ): LiveDelivery {
    try {
      const { headers, causedBy, signal } = options ?? {};
      this.#admit(delivery, causedBy);
      if (headers !== undefined) delivery.extras.headers = checkedHeaders(headers);
      if (values !== undefined) {
        delivery.extras.streaming = true;
        delivery.extras.values = values;
      }
      if (signal !== undefined) checkSignal(signal, "options.signal");
      if (causedBy !== undefined) delivery.inherit(causedBy);
      this.#process(delivery, signal, causedBy, keep);
      return delivery;
    } catch (error) {
      return refused(delivery, error);
    }
  }

  /** Refuses at the door, before any middleware and any observer. */
  #admit(delivery: LiveDelivery, causedBy: DispatchOptions["causedBy"]): void {
    const { message } = delivery;
    if (message == null)
      throw new InvalidMessageError(
        `${this.name} was given ${String(message)} for a message; pass an instance of a registered class.`,
      );
    const messageType = delivery.typeName;
    // While closing, what is in flight may still cause what it needs to finish.
    const partOfWork = this.#state === "closing" && causedBy instanceof LiveDelivery && causedBy.pending;
    if (this.#state !== "open" && !partOfWork) throw new BusClosedError(this.name, messageType);
    if (nesting.depth >= this.#maxDepth)
      throw new DispatchDepthExceededError(this.name, messageType, this.#maxDepth);
    if (delivery.handler === undefined) {
      delivery.handler = this.#fallback ?? (this.#needsHandler ? undefined : []);
      if (delivery.handler === undefined) throw this.registry.notFound(typeOf(message));
    }
  }

  #process(
    delivery: LiveDelivery,
    signal?: AbortSignal,
    causedBy?: DispatchOptions["causedBy"],
    keep?: Keep,
  ): void {
    const depth = nesting.depth;
    delivery.depth = nesting.depth = depth + 1;
    this.#inFlight.count++;
    this.#used = true;
    const { observers } = this;
    try {
      if (observers.watchingMessages) {
        delivery.startedMs = monotonicNow(this.clock);
        observers.message(delivery.envelope);
      } else if (observers.watchingOutcomes) {
        delivery.startedMs = monotonicNow(this.clock);
      }
      // Accepted by now: what is cancelled before it begins has an outcome, too.
      if (causedBy !== undefined) delivery.follow(causedBy);
      if (signal !== undefined) delivery.abortOn(signal);
      const step = keep === undefined ? this.#run : () => keep(delivery, this.#run);
      if (isWatched(this.#diagnostics)) runDiagnosed(delivery, step, this.#diagnostics);
      else delivery.run(step);
    } catch (error) {
      // Only the stack can overflow here: everything that others wrote is called by those who catch what it throws.
      delivery.fail(error);
    }
    nesting.depth = depth;
    if (delivery.pending) this.#inFlight.join(delivery);
  }

  /** The end of the pipeline. A middleware may have changed the type, or reached a type that nobody handles. */
  readonly #toHandler = (delivery: LiveDelivery): unknown => {
    let handlers = delivery.handler ?? this.registry.find(delivery.message) ?? this.#fallback;
    if (handlers === undefined) {
      if (this.#needsHandler) throw this.registry.notFound(typeOf(delivery.message));
      handlers = [];
    }
    return this.#handle === undefined ? handlers[0]!.run(delivery) : this.#handle(handlers, delivery);
  };

  ended(delivery: LiveDelivery): void {
    this.#inFlight.leave(delivery);
    if (this.observers.watchingOutcomes) {
      const { envelope, status, result } = delivery;
      const durationMs = delivery.elapsedMs();
      const depth = nesting.depth;
      // What an observer of this outcome causes is one deeper, however long the message took.
      nesting.depth = Math.max(depth, delivery.depth);
      this.observers.outcome(
        status === FULFILLED
          ? { status: "fulfilled", value: result, envelope, durationMs }
          : { status: "rejected", reason: result, envelope, durationMs },
      );
      nesting.depth = depth;
    }
    if (this.#state === "closing") {
      this.#endedWhileClosing++;
      if (this.#inFlight.count === 0) this.#drained?.();
    }
  }

  report(fault: Fault): void {
    this.observers.report(fault);
  }

  // All messages in flight -----------------------------------------------------------------------------------------

  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** Called again, the shorter of the deadlines holds. */
  close(timeoutMs: number): Promise<CloseReport> {
    this.#closing ??= this.#close();
    this.#giveUpAfter?.(timeoutMs);
    return this.#closing;
  }

  async #close(): Promise<CloseReport> {
    this.#state = "closing";
    for (const part of this.#parts) part.flush?.();
    if (this.#inFlight.count > 0) {
      await new Promise<void>((resolve) => {
        const timers: ReturnType<typeof setTimeout>[] = [];
        this.#giveUpAfter = (timeoutMs) => {
          if (!(timeoutMs > LONGEST_TIMEOUT_MS)) timers.push(setTimeout(this.#drained!, timeoutMs));
        };
        this.#drained = () => {
          timers.forEach(clearTimeout);
          this.#giveUpAfter = undefined;
          resolve();
        };
      });
    }
    const finished = this.#endedWhileClosing;
    const left = this.#inFlight.toArray();
    const work = left.map(({ result }) => result);
    this.stop();
    const working = await stillWorking(work);
    const ids = (deliveries: readonly LiveDelivery[]): string[] => deliveries.map(({ id }) => id);
    return { finished, aborted: ids(left), abandoned: ids(left.filter((_, index) => working[index])) };
  }

  /** Ends everything now: what is in flight is aborted, and the observables complete after the last outcome. */
  stop(): void {
    // First, so that nothing new is let in by what hears of the end.
    this.#state = "closed";
    for (const delivery of this.#inFlight.toArray())
      delivery.abort(new BusClosedError(this.name, delivery.typeName));
    for (const part of this.#parts) part.stop();
    this.observers.complete();
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
      closed: this.#state !== "open",
    };
  }
}

/** A delivery that is not let in: it has no outcome, only its promise. */
function refused(delivery: LiveDelivery, error: unknown): LiveDelivery {
  delivery.fail(error);
  return delivery;
}

/** Which of the promises are still pending a moment later. */
async function stillWorking(work: readonly unknown[]): Promise<readonly boolean[]> {
  const working = work.map(isThenable);
  if (!working.includes(true)) return working;
  for (const [index, promise] of work.entries()) {
    const stopped = (): void => void (working[index] = false);
    if (isThenable(promise)) promise.then(stopped, stopped);
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  return working;
}
