import type { Registration } from "../handlers/handler.js";
import { Observable } from "rxjs";
import type { AsyncScope } from "../util/async-context.js";
import { abortOn, checkSignal, isAbortError, type Abortable } from "./abort.js";
import { monotonicNow, wallTime } from "../util/clock.js";
import type { Cause, Delivery } from "./delivery.js";
import {
  checkedHeaders,
  Envelope,
  envelopeOf,
  NO_HEADERS,
  type Headers,
  type MessageMeta,
} from "../messages/envelope.js";
import { asError, InvalidMessageError } from "../errors.js";
import { Extras } from "./extras.js";
import { catchObserverErrors } from "../util/guarded-observable.js";
import { nameOf, typeOf, versionOf } from "../messages/message.js";
import type { DeliveryHost } from "./delivery-host.js";
import { consume, isStream, type Take } from "./consume-stream.js";
import { asPromise, isThenable } from "../util/thenable.js";

const PENDING = 0;
export const FULFILLED = 1;
export const REJECTED = 2;
const ABORTED = 3;

/** What a step of the pipeline returns when it will settle the delivery itself. */
export const LATER = Symbol("later");

/** The one implementation of {@link Delivery}. */
export class LiveDelivery<M extends object = object> implements Delivery<M>, Abortable {
  declare readonly host: DeliveryHost;
  declare readonly message: M;
  /** Whoever holds the reply: this delivery, or the one that {@link with} was called on. */
  declare readonly reply: LiveDelivery;
  /** What was found at the door; it handles the message even if it is unregistered meanwhile. */
  declare handlers: readonly Registration[] | undefined;
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
  declare madeEnvelope: Envelope | undefined;
  declare private more: Extras | undefined;
  /** What waits for the end; most have one or none. */
  declare private hooks: (() => void) | (() => void)[] | undefined;
  declare private fulfil: ((value: unknown) => void) | undefined;
  declare private refuse: ((reason: unknown) => void) | undefined;

  // Declared above and assigned here: fields that are defined first and assigned then cost a fifth of a dispatch.
  constructor(host: DeliveryHost, message: M, handlers?: readonly Registration[], reply?: LiveDelivery) {
    this.host = host;
    this.message = message;
    this.reply = reply ?? this;
    this.handlers = handlers;
    this.status = PENDING;
    this.result = undefined;
    this.depth = 0;
    this.startedMs = undefined;
    this.previous = undefined;
    this.following = undefined;
    this.madeEnvelope = undefined;
    this.more = undefined;
    this.hooks = undefined;
    this.fulfil = undefined;
    this.refuse = undefined;
  }

  /** The delivery of an envelope, perhaps from elsewhere: its message under its own metadata. */
  static of(
    host: DeliveryHost,
    envelope: Envelope,
    handlers: readonly Registration[] | undefined,
  ): LiveDelivery {
    const delivery = new LiveDelivery(host, envelope.payload, handlers);
    const { id, correlationId, causationId, headers } = envelope.meta;
    delivery.madeEnvelope = envelope;
    Object.assign(delivery.extras, { id, correlationId, causationId, headers });
    return delivery;
  }

  get extras(): Extras {
    return (this.more ??= new Extras());
  }

  // The reply ----------------------------------------------------------------------------------------------------

  get pending(): boolean {
    return this.reply.status === PENDING;
  }

  /** A bus has let the message in: it will have exactly one outcome. */
  get accepted(): boolean {
    return this.reply.depth > 0;
  }

  resolve(value?: unknown): void {
    // Or the outcome would say that it is fulfilled, with a promise, and the promise of the reply might be rejected.
    if (isThenable(value)) this.await(asPromise(value));
    else this.settle(FULFILLED, value);
  }

  reject(reason: unknown): void {
    this.abort(asError(reason, this));
  }

  /** Rejects without aborting: for work that has ended by itself. */
  fail(error: unknown): void {
    this.settle(REJECTED, asError(error, this));
  }

  private settle(status: typeof FULFILLED | typeof REJECTED | typeof ABORTED, result: unknown): void {
    const { reply } = this;
    if (reply.status !== PENDING) return;
    const accepted = reply.depth > 0;
    reply.status = status;
    reply.result = accepted && status === FULFILLED && !reply.host.returnsValue ? undefined : result;
    if (accepted) reply.host.ended(reply);
    if (reply.fulfil !== undefined) {
      if (status === FULFILLED) reply.fulfil(reply.result);
      else reply.refuse!(result);
    }
    if (reply.more !== undefined) {
      reply.more.cause = undefined;
      reply.more.among?.delete(reply);
    }
    if (reply.hooks !== undefined) reply.runHooks();
  }

  /** Runs `hook` once the reply is settled, at once if it is. */
  whenSettled(hook: () => void): void {
    const { reply } = this;
    if (reply.status !== PENDING) reply.guarded(hook);
    else if (reply.hooks === undefined) reply.hooks = hook;
    else if (typeof reply.hooks === "function") reply.hooks = [reply.hooks, hook];
    else reply.hooks.push(hook);
  }

  /** Takes {@link whenSettled} back. */
  forget(hook: () => void): void {
    const { reply } = this;
    if (reply.hooks === hook) reply.hooks = undefined;
    else if (Array.isArray(reply.hooks) && reply.hooks.includes(hook))
      reply.hooks.splice(reply.hooks.indexOf(hook), 1);
  }

  private runHooks(): void {
    const { hooks } = this;
    this.hooks = undefined;
    for (const hook of Array.isArray(hooks) ? hooks : [hooks!]) this.guarded(hook);
  }

  /** Runs what others left to be run for this delivery, such as teardowns of streams: what they throw concerns nobody who waits. */
  private guarded(hook: () => void): void {
    try {
      hook();
    } catch (error) {
      this.lateFailure(error);
    }
  }

  /** The promise of the reply, made when it is asked for: what is settled by then needs no resolver. */
  promise(): Promise<unknown> {
    const { reply } = this;
    if (reply.status === FULFILLED) return Promise.resolve(reply.result);
    if (reply.status !== PENDING) return Promise.reject(reply.result);
    return new Promise((resolve, reject) => {
      if (reply.fulfil === undefined) {
        reply.fulfil = resolve;
        reply.refuse = reject;
      } else reply.whenSettled(() => (reply.status === FULFILLED ? resolve : reject)(reply.result));
    });
  }

  /** The reply as a step returns it: the value, the error thrown, or a promise. */
  outcome(): unknown {
    const { status, result } = this.reply;
    if (status === FULFILLED) return result;
    if (status === PENDING) return this.promise();
    throw result;
  }

  get settled$(): Observable<PromiseSettledResult<never>> {
    const { reply } = this;
    const settled = new Observable<PromiseSettledResult<never>>((subscriber) => {
      const tell = (): void => {
        const { status, result } = reply;
        subscriber.next(
          status === FULFILLED
            ? { status: "fulfilled", value: result as never }
            : { status: "rejected", reason: result },
        );
        subscriber.complete();
      };
      reply.whenSettled(tell);
      return () => reply.forget(tell);
    });
    return catchObserverErrors(settled, (error) =>
      this.host.report({ kind: "observer", source: `settled$ of ${this.typeName}`, error }),
    );
  }

  // What runs for it -----------------------------------------------------------------------------------------------

  /** Runs a step and settles with what it returns or throws; a delivery that has been settled meanwhile is not run. */
  run(step: (delivery: LiveDelivery) => unknown): void {
    if (this.reply.status !== PENDING) return;
    try {
      this.adopt(step(this));
    } catch (error) {
      this.fail(error);
    }
  }

  /** The same in the async context that it waited in, if it waited: what lets it go on runs in another message's. */
  runIn(scope: AsyncScope | undefined, step: (delivery: LiveDelivery) => unknown): void {
    if (scope === undefined) this.run(step);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- bound by the second argument, which is cheaper than a closure
    else scope.runInAsyncScope(this.run, this, step);
  }

  /** Settles with what a step returned: a value, a promise, a stream that nobody consumed below, or nothing yet. */
  private adopt(result: unknown): void {
    if (result === LATER) return;
    if (result instanceof Promise) this.await(result);
    else if (isThenable(result)) this.await(Promise.resolve(result));
    else this.finish(result);
  }

  private await(promise: Promise<unknown>): void {
    const { origin, reply } = this;
    // The innermost counts, which is the handler's: what is awaited further up ends when it is told to.
    if (origin.status === PENDING && (origin !== reply || origin.result === undefined))
      origin.result = promise;
    promise.then(
      (value) => (reply.status === PENDING ? this.finish(value) : this.late()),
      (error: unknown) => (reply.status === PENDING ? this.fail(error) : this.lateFailure(error)),
    );
  }

  private finish(value: unknown): void {
    const { reply } = this;
    try {
      if (isStream(value) && !(this.streaming && reply.depth === 0)) {
        if (reply.more?.values !== undefined) reply.more.streamed = true;
        return this.adopt(consume(value, this, reply.more?.values ?? this.take));
      }
    } catch (error) {
      return this.fail(error);
    }
    this.settle(FULFILLED, value);
  }

  /** Which values of a stream make the reply. */
  get take(): Take {
    return this.host.returnsValue ? "first" : "none";
  }

  /** Whether a stream is handed up as it is: under `ask$`. */
  get streaming(): boolean {
    return this.reply.more?.streaming === true;
  }

  /** Work that was not stopped by the end of its message is reported; that it stopped, with whatever error of cancellation, is no news. */
  private late(error?: unknown): void {
    this.host.report({ kind: "late", source: this.typeName, error, envelope: this.origin.envelope });
  }

  /** What work failed with that nobody waits for. */
  lateFailure(reason: unknown): void {
    const { extras } = this.origin;
    // Once: an error that goes up through several functions is late at each of them.
    if (reason === this.reply.result || reason === extras.lateFailure || isAbortError(reason)) return;
    extras.lateFailure = reason;
    this.late(asError(reason, this));
  }

  // Cancellation -------------------------------------------------------------------------------------------------

  /** Rejects at once with the reason as it is, and cancels all that runs for this delivery. */
  abort(reason: unknown): void {
    const { reply } = this;
    if (reply.status !== PENDING) return;
    // Settled first: what listens to the signal must not win with the error of being cancelled.
    reply.settle(ABORTED, reason);
    reply.more?.controller?.abort(reason);
    for (const effect of reply.more?.effects ?? []) effect.abort(reason);
  }

  get signal(): AbortSignal {
    const { reply } = this;
    const controller = (reply.extras.controller ??= new AbortController());
    if (reply.status === ABORTED && !controller.signal.aborted) controller.abort(reply.result);
    return controller.signal;
  }

  /** Cancels `effect` together with this delivery, as long as both are pending. */
  private abortWith(effect: LiveDelivery): void {
    const { reply } = this;
    if (reply.status === PENDING)
      (effect.extras.among = reply.extras.effects ??= new Set<LiveDelivery>()).add(effect);
    else if (reply.status === ABORTED) effect.abort(reply.result);
  }

  abortOn(signal: AbortSignal): void {
    this.whenSettled(abortOn(signal, this));
  }

  /** Takes correlation and causation from the cause. @throws InvalidMessageError for what is no cause. */
  inherit(cause: Cause): void {
    const { extras } = this;
    const { id, correlationId } =
      cause instanceof LiveDelivery ? cause : envelopeOf(cause, "options.causedBy").meta;
    if (!(cause instanceof LiveDelivery) && "signal" in cause && cause.signal !== undefined)
      checkSignal(cause.signal, "options.causedBy.signal");
    extras.causationId = id;
    extras.correlationId = correlationId;
    this.restate();
  }

  /** On top of those it came with, if it came in an envelope. */
  addHeaders(headers: Headers): void {
    const { extras } = this;
    extras.headers =
      extras.headers === undefined ? headers : checkedHeaders({ ...extras.headers, ...headers });
    this.restate();
  }

  /** What came in an envelope, and was told more when it was sent, has another one from then on. */
  private restate(): void {
    if (this.madeEnvelope === undefined) return;
    const { causationId, correlationId = this.id, headers = NO_HEADERS } = this.extras;
    const meta = Object.freeze({ ...this.madeEnvelope.meta, causationId, correlationId, headers });
    this.madeEnvelope = new Envelope(this.message, undefined, meta);
  }

  /** Is cancelled together with the cause, as long as both are in flight. */
  cancelWith(cause: Cause): void {
    if (cause instanceof LiveDelivery) {
      if (cause.pending) this.extras.cause = cause.origin;
      cause.abortWith(this);
    } else if ("signal" in cause && cause.signal !== undefined) {
      // Of another copy of the library.
      this.abortOn(cause.signal);
    }
  }

  /** What this is an effect of, as long as both are in flight. */
  get cause(): LiveDelivery | undefined {
    return this.origin.more?.cause;
  }

  /** The messages in flight that this one is an effect of, nearest first. */
  *causes(): Generator<LiveDelivery> {
    for (let { cause } = this; cause !== undefined; { cause } = cause) yield cause;
  }

  // Relatives ----------------------------------------------------------------------------------------------------

  /** The delivery that was dispatched, of which this one is a fork or a change. */
  get origin(): LiveDelivery {
    const { reply } = this;
    return reply.more?.origin ?? reply;
  }

  /** What decides how the work for this delivery ends: the run that others wait for, too, or else the dispatch. */
  get settlingRun(): LiveDelivery {
    return this.reply.more?.run ?? this.origin;
  }

  with<N extends object>(message: N): LiveDelivery<N> {
    if (message == null)
      throw new InvalidMessageError("delivery.with() takes a message, in place of this one.");
    return new LiveDelivery(this.host, message, this.handlersOf(message), this.reply);
  }

  fork(message: M = this.message): LiveDelivery<M> {
    const fork = this.detached(message);
    fork.extras.run = this.reply.more?.run;
    this.abortWith(fork);
    return fork;
  }

  /** A fork that is not cancelled together with this delivery, for work that others wait for, too. */
  detached(message: M = this.message): LiveDelivery<M> {
    const fork = new LiveDelivery(this.host, message, this.handlersOf(message));
    const { extras } = fork;
    extras.origin = this.origin;
    extras.run = fork;
    extras.streaming = this.streaming;
    extras.attempt = this.attempt;
    return fork;
  }

  /** A fork for one try of several, counted from 1. */
  forkForAttempt(attempt: number): LiveDelivery<M> {
    const fork = this.fork();
    fork.extras.attempt = attempt;
    if (attempt > 1) this.origin.extras.retries++;
    return fork;
  }

  private handlersOf(message: object): readonly Registration[] | undefined {
    return typeOf(message) === typeOf(this.message) ? this.handlers : undefined;
  }

  // What can be written down ---------------------------------------------------------------------------------------

  get attempt(): number {
    return this.reply.more?.attempt ?? 1;
  }

  /** How often it has been tried in all. */
  get attempts(): number {
    return 1 + (this.origin.more?.retries ?? 0);
  }

  get typeName(): string {
    try {
      return nameOf(typeOf(this.message));
    } catch {
      return "(unreadable message)";
    }
  }

  get envelope(): Envelope<M> {
    return (this.madeEnvelope ??= new Envelope(this.message, this)) as Envelope<M>;
  }

  get id(): string {
    return (this.origin.extras.id ??= this.host.ids());
  }

  get correlationId(): string {
    return this.origin.extras.correlationId ?? this.id;
  }

  /** Monotonic milliseconds since acceptance, or since the first look; `NaN` if nobody ever looked before. */
  elapsedMs(): number {
    return monotonicNow(this.host.clock) - (this.reply.startedMs ?? NaN);
  }

  /** @internal Called by the envelope, for its first reader. */
  meta(): MessageMeta {
    const { origin, host, id, correlationId } = this;
    const type = typeOf(this.message);
    const [name, version] = [nameOf(type), versionOf(type)];
    const time = wallTime(host.clock, (origin.startedMs ??= monotonicNow(host.clock)));
    const { causationId, headers = NO_HEADERS } = origin.extras;
    return Object.freeze({ id, name, version, time, correlationId, causationId, headers });
  }
}
