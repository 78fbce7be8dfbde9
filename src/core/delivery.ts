import { Observable } from "rxjs";
import { abortOn, checkSignal, isAbortError, type Abortable } from "./cancellation.js";
import { monotonicNow, wallTime, type Clock } from "./clock.js";
import { Envelope, isEnvelope, NO_HEADERS, type Headers, type MessageMeta } from "./envelope.js";
import { asError } from "./errors.js";
import { refuse } from "./json.js";
import { nameOf, typeOf, versionOf } from "./message.js";
import type { Fault } from "./outcome.js";
import type { Part } from "./middleware.js";
import type { Registration } from "./registry.js";
import { consume, isStream, type Stream, type Take } from "./results.js";
import { guard } from "./guard.js";
import { asPromise, isThenable } from "./thenable.js";

/** What a handler gets beside the message. Pass it as `causedBy`, and the child inherits correlation, causation and cancellation. */
export interface HandlerContext<M = object> {
  readonly envelope: Envelope<M>;
  /** Aborted when nobody waits for the result any more. Made when it is first read. */
  readonly signal: AbortSignal;
  /** 1 for the first try, counted up by `retrying`. */
  readonly attempt: number;
}

/** What a message can be an effect of: a handler's context, or an envelope, which hands on no cancellation. */
export type Cause = (Pick<HandlerContext, "envelope"> & Partial<HandlerContext>) | Envelope;

/**
 * A message in flight, seen by middleware and by stream handlers: the message together with the address its reply goes to.
 *
 * Guarantees: the first `resolve` or `reject` settles it, later ones do nothing.
 */
export interface Delivery<M = object, R = unknown> extends HandlerContext<M> {
  readonly message: M;
  /** Fulfils the dispatch. */
  resolve(value?: R): void;
  /** Rejects the dispatch and aborts `signal`, so that what still runs for it can stop. */
  reject(reason: unknown): void;
  /** How this delivery was settled: one value, also for late subscribers. */
  readonly settled$: Observable<PromiseSettledResult<R>>;
  /** Another message with the same reply address, for middleware that changes messages. */
  with<N extends object>(message: N): Delivery<N, R>;
  /** A delivery with a reply of its own, cancelled together with this one. */
  fork(message?: M): Delivery<M, R>;
}

/** What a delivery needs of the bus it runs on. */
export interface Owner {
  readonly name: string;
  readonly clock: Clock;
  readonly ids: () => string;
  /** Called once, when a delivery that was accepted has been settled, before anybody else learns of it. */
  ended(delivery: LiveDelivery): void;
  report(fault: Fault): void;
  /** For what has to be ended with the bus; the returned function takes it back. */
  attach(part: Part): () => void;
  /** Queries do; what the handler of a command or event returns is dropped. */
  readonly returnsValue: boolean;
}

/** What few deliveries need; apart, so that the others stay small. */
class Extras {
  controller: AbortController | undefined;
  aborts: Set<Abortable> | undefined;
  whenSettled: (() => void)[] | undefined;
  id: string | undefined;
  correlationId: string | undefined;
  causationId: string | undefined;
  headers: Headers | undefined;
  /** Under `ask$` a stream is a result like any other and travels up to whoever asked, through the middleware. */
  streaming = false;
  /** The delivery that was dispatched, of which this one is a fork. */
  origin: LiveDelivery | undefined;
  /** What this is an effect of, as long as both are in flight; then forgotten, or a chain of causes would keep its whole past alive. */
  cause: LiveDelivery | undefined;
  attempt: number | undefined;
  lateFailure: unknown = LATER;
  /** There, takes every value of it. */
  values: Take | undefined;
}

const PENDING = 0;
export const FULFILLED = 1;
export const REJECTED = 2;
const ABORTED = 3;

/** What a step of the pipeline returns when it will settle the delivery itself. */
export const LATER = Symbol("later");

let capturedResolve!: (value: unknown) => void;
let capturedReject!: (reason: unknown) => void;
// One executor for all promises: a closure per dispatch less.
function capture(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  capturedResolve = resolve;
  capturedReject = reject;
}

/** The one implementation of {@link Delivery}. */
export class LiveDelivery<M extends object = object> implements Delivery<M>, Abortable {
  declare readonly owner: Owner;
  declare readonly message: M;
  /** Whoever holds the reply: this delivery, or the one that {@link with} was called on. */
  declare readonly reply: LiveDelivery;
  /** What was found at the door; it handles the message even if it is unregistered meanwhile. */
  declare handler: readonly Registration[] | undefined;
  declare status: typeof PENDING | typeof FULFILLED | typeof REJECTED | typeof ABORTED;
  /** The value or the reason, by `status`; while pending, the promise awaited for it if there is one. */
  declare result: unknown;
  /** How deep the dispatch was nested, from 1; 0 for what no bus has accepted. */
  declare depth: number;
  /** Monotonic time of acceptance, or of the first look if nobody was watching then. */
  declare startedMs: number | undefined;
  // Neighbours in the bus's list of messages in flight.
  declare previous: LiveDelivery | undefined;
  declare following: LiveDelivery | undefined;
  /** The envelope, once somebody has looked. */
  declare seen: Envelope | undefined;
  declare private more: Extras | undefined;
  declare private fulfilPromise: ((value: unknown) => void) | undefined;
  declare private rejectPromise: ((reason: unknown) => void) | undefined;

  // Declared above and assigned here: fields that are defined first and assigned then cost a fifth of a dispatch.
  constructor(owner: Owner, message: M, handler?: readonly Registration[], reply?: LiveDelivery) {
    this.owner = owner;
    this.message = message;
    this.reply = reply ?? this;
    this.handler = handler;
    this.status = PENDING;
    this.result = undefined;
    this.depth = 0;
    this.startedMs = undefined;
    this.previous = undefined;
    this.following = undefined;
    this.seen = undefined;
    this.more = undefined;
    this.fulfilPromise = undefined;
    this.rejectPromise = undefined;
  }

  get extras(): Extras {
    return (this.more ??= new Extras());
  }

  // The reply ----------------------------------------------------------------------------------------------------

  get pending(): boolean {
    return this.reply.status === PENDING;
  }

  resolve(value?: unknown): void {
    this.settle(FULFILLED, value);
  }

  reject(reason: unknown): void {
    this.abort(asError(reason, this.typeName));
  }

  /** Rejects without aborting: for work that has ended by itself. */
  fail(error: unknown): void {
    this.settle(REJECTED, asError(error, this.typeName));
  }

  settle(status: typeof FULFILLED | typeof REJECTED | typeof ABORTED, result: unknown): void {
    const reply = this.reply;
    if (reply.status !== PENDING) return;
    reply.status = status;
    reply.result = result;
    if (reply.depth > 0) {
      if (status === FULFILLED && !reply.owner.returnsValue) reply.result = undefined;
      reply.owner.ended(reply);
    }
    if (reply.fulfilPromise !== undefined) {
      if (status === FULFILLED) reply.fulfilPromise(reply.result);
      else reply.rejectPromise!(result);
    }
    const { more } = reply;
    if (more === undefined) return;
    more.cause = undefined;
    for (const hook of more.whenSettled ?? []) reply.guarded(hook);
  }

  /** Runs what others left to be run for this delivery, such as teardowns of streams: what they throw concerns nobody who waits. */
  private guarded(hook: () => void): void {
    try {
      hook();
    } catch (error) {
      this.lateFailure(error);
    }
  }

  /** Rejects at once with the reason as it is, and cancels all that runs for this delivery. */
  abort(reason: unknown): void {
    const reply = this.reply;
    if (reply.status !== PENDING) return;
    // Settled first: what listens to the signal must not win with the error of being cancelled.
    reply.settle(ABORTED, reason);
    reply.more?.controller?.abort(reason);
    for (const target of reply.more?.aborts ?? []) target.abort(reason);
  }

  /** Runs a step and settles with what it returns or throws; a delivery that has been settled meanwhile is not run. */
  run(step: (delivery: LiveDelivery) => unknown): void {
    if (!this.pending) return;
    let result: unknown;
    try {
      result = step(this);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.adopt(result);
  }

  /** Settles with what a step returned: a value, a promise, a stream that nobody consumed below, or nothing yet. */
  adopt(result: unknown): void {
    if (result === LATER) return;
    if (isThenable(result)) {
      const { origin } = this;
      // The innermost counts, which is the handler's: what is awaited further up ends when it is told to.
      if (origin.status === PENDING && (origin !== this.reply || origin.result === undefined))
        origin.result = result;
      asPromise(result).then(
        (value) => (this.pending ? this.finish(value) : this.late()),
        (error: unknown) => (this.pending ? this.fail(error) : this.lateFailure(error)),
      );
    } else {
      this.finish(result);
    }
  }

  private finish(value: unknown): void {
    if (isStream(value) && (this.reply.more?.streaming !== true || this.reply.depth > 0))
      this.adoptStream(value);
    else this.settle(FULFILLED, value);
  }

  private adoptStream(stream: Stream): void {
    try {
      this.adopt(consume(stream, this, this.reply.more?.values ?? this.#take));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The result of a handler that returned a stream: under `ask$` the stream itself, which whoever asked will subscribe to. */
  handled(stream: Stream): unknown {
    return this.reply.more?.streaming === true ? stream : consume(stream, this, this.#take);
  }

  get #take(): Take {
    return this.owner.returnsValue ? "first" : "none";
  }

  /** Work that was not stopped by the end of its message is reported; that it stopped, with whatever error of cancellation, is no news. */
  private late(error?: unknown): void {
    this.owner.report({ kind: "late", source: this.typeName, error, envelope: this.origin.envelope });
  }

  /** What work failed with that nobody waits for. */
  lateFailure(reason: unknown): void {
    const { extras } = this.origin;
    // Once: an error that goes up through several functions is late at each of them.
    if (reason === this.reply.result || reason === extras.lateFailure || isAbortError(reason)) return;
    extras.lateFailure = reason;
    this.late(asError(reason, this.typeName));
  }

  /** The promise of the reply, made when it is asked for: what is settled by then needs no resolver. */
  promise(): Promise<unknown> {
    const reply = this.reply;
    if (reply.status === FULFILLED) return Promise.resolve(reply.result);
    if (reply.status !== PENDING) return Promise.reject(reply.result);
    const promise = new Promise(capture);
    if (reply.fulfilPromise === undefined) {
      reply.fulfilPromise = capturedResolve;
      reply.rejectPromise = capturedReject;
    } else {
      const [resolve, reject] = [capturedResolve, capturedReject];
      reply.whenSettled(() => (reply.status === FULFILLED ? resolve : reject)(reply.result));
    }
    return promise;
  }

  /** The reply as a step returns it: the value, the error thrown, or a promise. */
  outcome(): unknown {
    const { status, result } = this.reply;
    if (status === FULFILLED) return result;
    if (status === PENDING) return this.promise();
    throw result;
  }

  get settled$(): Observable<PromiseSettledResult<never>> {
    const settled = new Observable<PromiseSettledResult<never>>((subscriber) =>
      this.whenSettled(() => {
        const { status, result } = this.reply;
        subscriber.next(
          status === FULFILLED
            ? { status: "fulfilled", value: result as never }
            : { status: "rejected", reason: result },
        );
        subscriber.complete();
      }),
    );
    return guard(settled, (error) =>
      this.owner.report({ kind: "observer", source: `settled$ of ${this.typeName}`, error }),
    );
  }

  /** Runs `hook` once the reply is settled, at once if it is; the returned function takes it back. */
  whenSettled(hook: () => void): () => void {
    if (!this.pending) {
      this.guarded(hook);
      return () => undefined;
    }
    const hooks = (this.reply.extras.whenSettled ??= []);
    hooks.push(hook);
    return () => {
      const index = hooks.indexOf(hook);
      if (this.pending && index >= 0) hooks.splice(index, 1);
    };
  }

  // Cancellation -------------------------------------------------------------------------------------------------

  get signal(): AbortSignal {
    const { reply } = this;
    const controller = (reply.extras.controller ??= new AbortController());
    if (reply.status === ABORTED && !controller.signal.aborted) controller.abort(reply.result);
    return controller.signal;
  }

  /** Cancels `target` together with this delivery, as long as both are pending. */
  abortWith(target: LiveDelivery): void {
    const aborts = (this.reply.extras.aborts ??= new Set());
    aborts.add(target);
    target.whenSettled(() => aborts.delete(target));
  }

  abortOn(signal: AbortSignal): void {
    this.whenSettled(abortOn(signal, this));
  }

  /** Takes correlation and causation from the cause. @throws InvalidMessageError for what is no cause. */
  inherit(cause: Cause): void {
    const { extras } = this;
    if (cause instanceof LiveDelivery) {
      extras.causationId = cause.id;
      extras.correlationId = cause.correlationId;
      return;
    }
    const envelope: unknown = isEnvelope(cause)
      ? cause
      : (cause as Partial<Cause & HandlerContext> | null)?.envelope;
    if (!isEnvelope(envelope)) refuse("options.causedBy", "is neither a handler's context nor an envelope");
    if ("signal" in cause && cause.signal !== undefined) checkSignal(cause.signal, "options.causedBy.signal");
    extras.causationId = envelope.meta.id;
    extras.correlationId = envelope.meta.correlationId;
  }

  /** Is cancelled together with the cause, as long as both are in flight. */
  follow(cause: Cause): void {
    if (!(cause instanceof LiveDelivery)) {
      // Of another copy of the library.
      if ("signal" in cause && cause.signal !== undefined) this.abortOn(cause.signal);
    } else if (cause.pending) {
      this.extras.cause = cause.origin;
      cause.abortWith(this);
    } else if (cause.reply.status === ABORTED) {
      this.abort(cause.reply.result);
    }
  }

  /** The messages in flight that this one is an effect of, nearest first. */
  *causes(): Generator<LiveDelivery> {
    for (let cause = this.origin.more?.cause; cause !== undefined; cause = cause.more?.cause) yield cause;
  }

  get attempt(): number {
    return this.reply.more?.attempt ?? 1;
  }

  /** Whether a stream is handed up as it is: under `ask$`. */
  get streaming(): boolean {
    return this.reply.more?.streaming === true;
  }

  /** The delivery that was dispatched, of which this one is a fork or a change. */
  get origin(): LiveDelivery {
    return this.reply.more?.origin ?? this.reply;
  }

  // Relatives ----------------------------------------------------------------------------------------------------

  with<N extends object>(message: N): LiveDelivery<N> {
    return new LiveDelivery(
      this.owner,
      message,
      typeOf(message) === typeOf(this.message) ? this.handler : undefined,
      this.reply,
    );
  }

  fork(message: M = this.message): LiveDelivery<M> {
    const fork = this.detached(message);
    if (this.pending) this.abortWith(fork);
    else if (this.reply.status === ABORTED) fork.abort(this.reply.result);
    return fork;
  }

  /** A fork that is not cancelled together with this delivery, for work that others wait for, too. */
  detached(message: M = this.message): LiveDelivery<M> {
    const fork = new LiveDelivery(
      this.owner,
      message,
      typeOf(message) === typeOf(this.message) ? this.handler : undefined,
    );
    const { extras } = fork;
    extras.origin = this.origin;
    extras.streaming = this.reply.extras.streaming;
    extras.attempt = this.reply.extras.attempt;
    return fork;
  }

  // What can be written down ---------------------------------------------------------------------------------------

  get typeName(): string {
    try {
      return nameOf(typeOf(this.message));
    } catch {
      return "(unreadable message)";
    }
  }

  get envelope(): Envelope<M> {
    return (this.seen ??= new Envelope(this.message, this)) as Envelope<M>;
  }

  get id(): string {
    const { origin } = this;
    return (origin.extras.id ??= this.owner.ids());
  }

  get correlationId(): string {
    return this.origin.more?.correlationId ?? this.id;
  }

  /** Monotonic milliseconds since acceptance, or since the first look; `NaN` if nobody ever looked before. */
  elapsedMs(): number {
    return monotonicNow(this.owner.clock) - (this.reply.startedMs ?? NaN);
  }

  /** @internal Called by the envelope, for its first reader. */
  meta(): MessageMeta {
    const { origin, owner, id, correlationId } = this;
    const type = typeOf(this.message);
    const [name, version] = [nameOf(type), versionOf(type)];
    const startedMs = (origin.startedMs ??= monotonicNow(owner.clock));
    const time = wallTime(owner.clock, startedMs);
    const { causationId, headers = NO_HEADERS } = origin.extras;
    return Object.freeze({ id, name, version, time, correlationId, causationId, headers });
  }
}
