import type { Observable } from "rxjs";
import { aSignal } from "../checks.js";
import { asError, InvalidMessageError, refuse } from "../errors.js";
import type { Registration } from "../handlers/handler.js";
import { Envelope, envelopeOf, type MessageMeta } from "../messages/envelope.js";
import { typeOf } from "../messages/message.js";
import type { AsyncScope } from "../util/async-context.js";
import { monotonicNow } from "../util/clock.js";
import { COPY, MADE_BY } from "../util/copy.js";
import { asPromise, isThenable } from "../util/thenable.js";
import { abortOn, isAbortError } from "./abort.js";
import { abort, cancel, cancelTogether, signalOf, type Cancellable } from "./cancellation.js";
import { causesOf } from "./causality.js";
import { consumeIfDue, isStream, type Stream } from "./consume-stream.js";
import type { DeliveryHost } from "./delivery-host.js";
import type { Cause, Delivery, HandlerContext, ReplyForm } from "./delivery.js";
import { Links } from "./links.js";
import { inheritIds, metaOf, typeNameOf, type Described } from "./metadata.js";
import {
  addHook,
  FULFILLED,
  ACCEPTED,
  NEW,
  promiseOf,
  REFUSED,
  REJECTED,
  removeHook,
  resultOf,
  settle,
  settled$Of,
  type Reply,
  type Status,
} from "./settlement.js";
import { rememberWork } from "./unfinished-work.js";

export { ABORTED, FULFILLED, REFUSED, REJECTED } from "./settlement.js";

/** The result of a step that will settle the delivery itself. */
export const LATER = Symbol("later");

/** The one implementation of {@link Delivery}: runs steps for a message and settles its reply with what they return. */
export class LiveDelivery<M extends object = object> implements Delivery<M>, Reply, Cancellable, Described {
  declare readonly host: DeliveryHost;
  declare readonly message: M;
  /** The delivery that holds the reply: this one, or the one that {@link with} was called on. */
  declare readonly holder: LiveDelivery;
  /** The handlers that were found at the door; they handle the message even if they are unregistered meanwhile. */
  declare handlers: readonly Registration[] | undefined;
  declare status: Status;
  declare result: unknown;
  /** How deep the dispatch was nested, from 1. */
  declare depth: number;
  /** Monotonic time of acceptance; set on first read if the bus had no observers then. */
  declare startedMs: number | undefined;
  // Neighbours in the bus's list of messages in flight.
  declare previous: LiveDelivery | undefined;
  declare following: LiveDelivery | undefined;
  declare madeEnvelope: Envelope | undefined;
  declare madeLinks: Links<LiveDelivery> | undefined;
  declare hooks: (() => void) | (() => void)[] | undefined;
  declare fulfil: ((value: unknown) => void) | undefined;
  declare refuse: ((reason: unknown) => void) | undefined;

  // Declared above and assigned here, because fields that are defined first and assigned then cost a fifth of a
  // dispatch.
  constructor(host: DeliveryHost, message: M, handlers?: readonly Registration[], holder?: LiveDelivery) {
    this.host = host;
    this.message = message;
    this.holder = holder ?? this;
    this.handlers = handlers;
    this.status = NEW;
    this.result = undefined;
    this.depth = 0;
    this.startedMs = undefined;
    this.previous = undefined;
    this.following = undefined;
    this.madeEnvelope = undefined;
    this.madeLinks = undefined;
    this.hooks = undefined;
    this.fulfil = undefined;
    this.refuse = undefined;
  }

  get [MADE_BY](): typeof COPY {
    return COPY;
  }

  get links(): Links<LiveDelivery> {
    return (this.madeLinks ??= new Links<LiveDelivery>());
  }

  unlink(): void {
    const { links } = this;
    links.cause = undefined;
    links.among?.delete(this);
  }

  // Settling -------------------------------------------------------------------------------------------------------

  get pending(): boolean {
    return this.holder.status <= ACCEPTED;
  }

  get settled$(): Observable<PromiseSettledResult<never>> {
    return settled$Of(this.holder);
  }

  promise(): Promise<unknown> {
    return promiseOf(this.holder);
  }

  /** Returns the reply as a step does: the value, a promise of it, or the error thrown. */
  asResult(): unknown {
    return resultOf(this.holder);
  }

  /** Runs `hook` once the reply is settled, synchronously if it already is. */
  whenSettled(hook: () => void): void {
    addHook(this.holder, hook);
  }

  /** Takes {@link whenSettled} back. */
  forget(hook: () => void): void {
    removeHook(this.holder, hook);
  }

  // Getters of bound functions, because handlers take them out: `({ message, resolve }) => resolve(…)`.
  get resolve(): Delivery["resolve"] {
    return (value) => this.succeed(value);
  }

  get reject(): Delivery["reject"] {
    return (reason) => this.abort(asError(reason, this));
  }

  succeed(value?: unknown): void {
    // Await a promise, because an outcome with a promise for its value could say "fulfilled" before that rejects.
    if (isThenable(value)) this.await(asPromise(value));
    else settle(this.holder, FULFILLED, value);
  }

  /** Rejects without aborting, because the work has ended by itself. */
  fail(error: unknown): void {
    settle(this.holder, REJECTED, asError(error, this));
  }

  /** Rejects a message that its bus does not let in. */
  deny(error: unknown): void {
    settle(this.holder, REFUSED, asError(error, this));
  }

  /** Rejects at once with the reason as it is, and cancels all work that runs for this delivery. */
  abort(reason: unknown): void {
    abort(this.holder, reason);
  }

  /** Aborts a message whose result is not wanted any more; its outcome says `cancelled`. */
  cancel(reason: unknown): void {
    cancel(this.holder, reason);
  }

  // Running a step ---------------------------------------------------------------------------------------------------

  /** Runs a step and settles with what it returns or throws. A reply that is settled already is not run. */
  run(step: (delivery: LiveDelivery) => unknown): void {
    if (this.holder.status > ACCEPTED) return;
    try {
      this.adopt(step(this));
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Runs a step in the async context in which the message waited, because the code that releases it runs in
   * another message's.
   */
  runIn(scope: AsyncScope | undefined, step: (delivery: LiveDelivery) => unknown): void {
    if (scope === undefined) this.run(step);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- bound by the second argument
    else scope.runInAsyncScope(this.run, this, step);
  }

  /** Settles with a step's result: a value, a promise, a stream that no step below has consumed, or `LATER`. */
  private adopt(result: unknown): void {
    if (result === LATER) return;
    if (result instanceof Promise) this.await(result);
    else if (isThenable(result)) this.await(Promise.resolve(result));
    else this.finish(result);
  }

  private await(promise: Promise<unknown>): void {
    const { origin, holder } = this;
    // Keep the innermost promise, which is the handler's own: close() reports the work of handlers that did not stop.
    if (holder.status > ACCEPTED) rememberWork(origin, promise);
    else if (origin !== holder) {
      holder.result = promise;
      if (origin.status <= ACCEPTED) origin.result = promise;
    } else if (holder.result === undefined) holder.result = promise;
    promise.then(
      (value) => (holder.status <= ACCEPTED ? this.finish(value) : this.reportLate()),
      (error: unknown) => (holder.status <= ACCEPTED ? this.fail(error) : this.lateFailure(error)),
    );
  }

  private finish(value: unknown): void {
    try {
      if (isStream(value)) return this.finishStream(value);
    } catch (error) {
      // The teardown of a stream may throw, and so may the traps of a Proxy.
      return this.fail(error);
    }
    settle(this.holder, FULFILLED, value);
  }

  private finishStream(stream: Stream): void {
    const result = consumeIfDue(stream, this, this.holder.madeLinks?.consumption);
    if (result === stream) settle(this.holder, FULFILLED, stream);
    else this.adopt(result);
  }

  /** Reports work that ended after its message had settled. Cancellation errors are expected here and not reported. */
  lateFailure(reason: unknown): void {
    const { links } = this.origin;
    // Report an error once, because one that travels up through several functions is late at each of them.
    if (reason === this.holder.result || reason === links.lateFailure || isAbortError(reason)) return;
    links.lateFailure = reason;
    this.reportLate(asError(reason, this));
  }

  private reportLate(error?: unknown): void {
    this.host.report({ kind: "late", source: this.typeName, error, envelope: this.origin.envelope });
  }

  // Cancelling -----------------------------------------------------------------------------------------------------

  get signal(): AbortSignal {
    return signalOf(this.holder);
  }

  abortOn(signal: AbortSignal): void {
    this.whenSettled(abortOn(signal, this));
  }

  /** Cancels this delivery together with its cause, as long as both are in flight. */
  cancelWith(cause: Cause): void {
    if (cause instanceof LiveDelivery) {
      if (cause.pending) this.links.cause = cause.origin;
      cancelTogether(cause.holder, this);
    } else if ("signal" in cause && cause.signal !== undefined) {
      // The cause is a context of another copy of the library.
      this.abortOn(cause.signal);
    }
  }

  // Kinship --------------------------------------------------------------------------------------------------------

  /** The delivery that was dispatched, of which this one is a fork or a change. */
  get origin(): LiveDelivery {
    const { holder } = this;
    return holder.madeLinks?.origin ?? holder;
  }

  /** The delivery whose settlement ends this work: the shared run if there is one, otherwise the dispatch. */
  get settlingRun(): LiveDelivery {
    return this.holder.madeLinks?.run ?? this.origin;
  }

  /** The message that this one is an effect of, as long as both are in flight. */
  get cause(): LiveDelivery | undefined {
    return this.origin.madeLinks?.cause;
  }

  causes(): Generator<LiveDelivery> {
    return causesOf<LiveDelivery>(this);
  }

  get with(): Delivery["with"] {
    return (message) => this.changedTo(message);
  }

  get fork(): Delivery<M>["fork"] {
    return (message) => this.forked(message);
  }

  changedTo<N extends object>(message: N): LiveDelivery<N> {
    if (message == null)
      throw new InvalidMessageError("delivery.with() takes a message, in place of this one.");
    return new LiveDelivery(this.host, message, this.handlersOf(message), this.holder);
  }

  forked(message: M = this.message): LiveDelivery<M> {
    const fork = this.detached(message);
    fork.links.run = this.holder.madeLinks?.run;
    cancelTogether(this.holder, fork);
    return fork;
  }

  /** Forks without being cancelled together with this delivery, for work that other messages wait for, too. */
  detached(message: M = this.message): LiveDelivery<M> {
    const fork = new LiveDelivery(this.host, message, this.handlersOf(message));
    const { links } = fork;
    links.origin = this.origin;
    links.run = fork;
    links.attempt = this.attempt;
    const { reply } = this;
    if (reply !== "one") links.consumption = reply;
    return fork;
  }

  private handlersOf(message: object): readonly Registration[] | undefined {
    return typeOf(message) === typeOf(this.message) ? this.handlers : undefined;
  }

  /** The number of this attempt, from 1. */
  get attempt(): number {
    return this.holder.madeLinks?.attempt ?? 1;
  }

  /** How often the message was tried in all. */
  get attempts(): number {
    return this.origin.madeLinks?.attempts ?? 1;
  }

  get local(): object | undefined {
    return this.origin.madeLinks?.local;
  }

  /**
   * The values that the caller waits for: the first (`ask`), all (`ask$`) or the latest (`watch`).
   */
  get reply(): ReplyForm {
    const consumption = this.holder.madeLinks?.consumption;
    return typeof consumption === "object" ? consumption.reply : (consumption ?? "one");
  }

  /** True if the caller waits for more than one value, so that a stream travels up to it as it is. */
  get streaming(): boolean {
    return this.holder.madeLinks?.consumption !== undefined;
  }

  // Metadata -------------------------------------------------------------------------------------------------------

  get typeName(): string {
    return typeNameOf(this.message);
  }

  get envelope(): Envelope<M> {
    return (this.madeEnvelope ??= new Envelope(this.message, this)) as Envelope<M>;
  }

  get id(): string {
    return (this.origin.links.id ??= this.host.ids());
  }

  get correlationId(): string {
    return this.origin.links.correlationId ?? this.id;
  }

  /** The correlation id of a message that has a cause. */
  get inheritedCorrelationId(): string | undefined {
    const links = this.origin.madeLinks;
    return links?.causationId === undefined ? undefined : links.correlationId;
  }

  /**
   * Takes correlation, causation and the local context from the cause.
   * @throws InvalidMessageError for a value that is not a cause
   */
  inherit(cause: Cause): void {
    const local = (cause as Partial<HandlerContext> | null)?.local;
    if (local !== undefined) this.links.local = local;
    if (cause instanceof LiveDelivery) return inheritIds(this, cause);
    inheritIds(this, envelopeOf(cause, "options.causedBy").meta);
    const { signal } = cause as Partial<HandlerContext>;
    if (signal !== undefined && !aSignal.accepts(signal))
      refuse("options.causedBy.signal", "is not an AbortSignal");
  }

  /** Monotonic milliseconds since acceptance, or since the first look; `NaN` before any look. */
  elapsedMs(): number {
    return monotonicNow(this.host.clock) - (this.holder.startedMs ?? NaN);
  }

  /** Makes the metadata for the first reader of the envelope. */
  meta(): MessageMeta {
    return metaOf(this);
  }
}
