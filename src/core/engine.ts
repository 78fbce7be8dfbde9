import { LONGEST_TIMEOUT_MS, monotonicNow, randomId, systemClock, type Clock } from "./clock.js";
import { FULFILLED, Lazy, LiveDelivery, type Owner } from "./delivery.js";
import { checkedHeaders, isEnvelope, type Envelope } from "./envelope.js";
import {
  BusClosedError,
  DispatchDepthExceededError,
  InvalidMessageError,
  InvalidMiddlewareError,
} from "./errors.js";
import { nameOf, typeOf, type MessageKind } from "./message.js";
import { middlewareName, type Middleware, type Step } from "./middleware.js";
import { nesting, Observers } from "./observers.js";
import type { BusDescription, BusOptions, CloseReport, DispatchOptions } from "./options.js";
import type { Fault } from "./outcome.js";
import { build, checkMiddleware } from "./pipeline.js";
import { HandlerRegistry, type Registration } from "./registry.js";
import { isThenable, type Take } from "./results.js";

/** In what the three kinds of bus differ. */
export interface Kind {
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  /** Whether a message without a handler is refused. */
  readonly needsHandler: boolean;
  readonly handle: (handlers: readonly Registration[], delivery: LiveDelivery) => unknown;
}

/** Runs one handler: the end of the pipeline of commands and queries. */
export function runOne(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  return handlers[0]!.run(delivery);
}

type State = "open" | "closing" | "closed";

/** What all buses are underneath: admission, the pipeline, the messages in flight, the observers, closing. */
export class Engine implements Owner {
  readonly name: string;
  readonly kind: MessageKind;
  readonly returnsValue: boolean;
  readonly clock: Clock;
  readonly ids: () => string;
  readonly registry: HandlerRegistry;
  observers: Observers;
  readonly #needsHandler: boolean;
  readonly #handle: Kind["handle"];
  readonly #maxDepth: number;
  readonly #fallback: readonly Registration[] | undefined;
  #middleware: readonly Middleware[] = [];
  #run!: Step;
  #flushes: (() => void)[] = [];
  #state: State = "open";
  #used = false;
  #inFlight = 0;
  /** Neighbours of the messages in flight that were not settled synchronously: a list costs less than a Set. */
  #newest: LiveDelivery | undefined = undefined;
  #endedWhileClosing = 0;
  #drained: (() => void) | undefined = undefined;
  #closing: Promise<CloseReport> | undefined = undefined;

  constructor(kind: Kind, options: BusOptions, name: string) {
    const {
      registry = new HandlerRegistry(),
      fallback,
      maxDepth = 256,
      clock = systemClock,
      ids = randomId,
    } = options;
    if (!(maxDepth >= 1))
      throw new InvalidMessageError(`maxDepth must be at least 1; received ${String(maxDepth)}.`);
    registry.adopt(kind.kind);
    this.name = options.name ?? name;
    this.kind = kind.kind;
    this.returnsValue = kind.returnsValue;
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
  use(middleware: readonly Middleware<never, never>[]): void {
    if (this.#used)
      throw new InvalidMiddlewareError(
        `${this.name} has handled messages; add middleware before the first one.`,
      );
    checkMiddleware(middleware as unknown as readonly Middleware[]);
    this.#middleware = [...this.#middleware, ...(middleware as unknown as readonly Middleware[])];
    this.#flushes = [];
    this.#run = build(this.#middleware, (delivery) => this.#toHandler(delivery), {
      owner: this,
      outermost: true,
      onClose: (flush) => this.#flushes.push(flush),
    });
  }

  reset(): void {
    for (const delivery of this.#pending()) delivery.abort(new BusClosedError(this.name, delivery.typeName));
    this.registry.clear();
    this.#middleware = [];
    this.#used = false;
    this.use([]);
    if (this.#state !== "open") this.observers = new Observers(this.name);
    this.#state = "open";
    this.#closing = this.#drained = undefined;
    this.#endedWhileClosing = 0;
  }

  // One message ----------------------------------------------------------------------------------------------------

  /** Runs a message up to its first suspension. Never throws: the delivery is rejected instead. */
  send(message: object, options?: DispatchOptions, values?: Take): LiveDelivery {
    const handlers = message == null ? undefined : this.registry.find(message);
    if (handlers === undefined && isEnvelope(message)) return this.#sendEnvelope(message, options, values);
    const delivery = new LiveDelivery(this, message, handlers);
    if (
      handlers === undefined ||
      options !== undefined ||
      values !== undefined ||
      this.#state !== "open" ||
      nesting.depth >= this.#maxDepth
    ) {
      this.#sendChecked(delivery, options, values);
    } else {
      this.#process(delivery);
    }
    return delivery;
  }

  /** An envelope, perhaps from elsewhere: its message under its own metadata. */
  #sendEnvelope(
    envelope: Envelope,
    options: DispatchOptions | undefined,
    values: Take | undefined,
  ): LiveDelivery {
    const delivery = new LiveDelivery(this, envelope.payload, this.registry.find(envelope.payload));
    const { extras } = delivery;
    const { id, correlationId, causationId, headers } = envelope.meta;
    extras.envelope = envelope;
    extras.id = new Lazy(id);
    extras.correlationId = new Lazy(correlationId);
    extras.causationId = causationId === undefined ? undefined : new Lazy(causationId);
    extras.headers = headers;
    this.#sendChecked(delivery, options, values);
    return delivery;
  }

  #sendChecked(delivery: LiveDelivery, options: DispatchOptions = {}, values: Take | undefined): void {
    try {
      this.#admit(delivery, options);
      if (options.headers !== undefined) delivery.extras.headers = checkedHeaders(options.headers);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (values !== undefined) {
      delivery.extras.streaming = true;
      delivery.extras.values = values;
    }
    const { causedBy, signal } = options;
    if (causedBy !== undefined) delivery.inherit(causedBy);
    this.#process(delivery, signal);
  }

  /** Refuses at the door, before any middleware and any observer. */
  #admit(delivery: LiveDelivery, { causedBy }: DispatchOptions): void {
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

  #process(delivery: LiveDelivery, signal?: AbortSignal): void {
    const depth = nesting.depth;
    delivery.depth = nesting.depth = depth + 1;
    this.#inFlight++;
    this.#used = true;
    const { observers } = this;
    if (observers.watchingMessages) {
      delivery.startedMs = monotonicNow(this.clock);
      observers.message(delivery.envelope);
    } else if (observers.watchingOutcomes) {
      delivery.startedMs = monotonicNow(this.clock);
    }
    if (signal?.aborted) delivery.abort(signal.reason);
    else if (signal !== undefined) delivery.abortOn(signal);
    delivery.run(this.#run);
    nesting.depth = depth;
    if (delivery.pending) this.#link(delivery);
  }

  /** The end of the pipeline. A middleware may have changed the type, or reached a type that nobody handles. */
  #toHandler(delivery: LiveDelivery): unknown {
    let handlers = delivery.handler ?? this.registry.find(delivery.message) ?? this.#fallback;
    if (handlers === undefined) {
      if (this.#needsHandler) throw this.registry.notFound(typeOf(delivery.message));
      handlers = [];
    }
    return this.#handle(handlers, delivery);
  }

  ended(delivery: LiveDelivery): void {
    this.#inFlight--;
    this.#unlink(delivery);
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
      if (this.#inFlight === 0) this.#drained?.();
    }
  }

  report(fault: Fault): void {
    this.observers.report(fault);
  }

  // All messages in flight -----------------------------------------------------------------------------------------

  get inFlight(): number {
    return this.#inFlight;
  }

  #link(delivery: LiveDelivery): void {
    const newest = this.#newest;
    delivery.previous = newest;
    if (newest !== undefined) newest.following = delivery;
    this.#newest = delivery;
  }

  #unlink(delivery: LiveDelivery): void {
    const { previous, following } = delivery;
    if (previous !== undefined) previous.following = following;
    if (following !== undefined) following.previous = previous;
    else if (this.#newest === delivery) this.#newest = previous;
    delivery.previous = delivery.following = undefined;
  }

  #pending(): LiveDelivery[] {
    const all: LiveDelivery[] = [];
    for (let delivery = this.#newest; delivery !== undefined; delivery = delivery.previous)
      all.push(delivery);
    return all.reverse();
  }

  close(timeoutMs: number): Promise<CloseReport> {
    return (this.#closing ??= this.#close(timeoutMs));
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    this.#state = "closing";
    for (const flush of this.#flushes) flush();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs <= LONGEST_TIMEOUT_MS ? setTimeout(resolve, timeoutMs) : undefined;
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const left = this.#pending();
    const work = left.map(({ result }) => result);
    for (const delivery of left) delivery.abort(new BusClosedError(this.name, delivery.typeName));
    const working = await stillWorking(work);
    this.#state = "closed";
    this.observers.complete();
    return {
      finished: this.#endedWhileClosing - left.length,
      aborted: left.map((delivery) => delivery.id.value),
      abandoned: left.filter((_, index) => working[index]).map((delivery) => delivery.id.value),
    };
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
      inFlight: this.#inFlight,
      closed: this.#state !== "open",
    };
  }
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
