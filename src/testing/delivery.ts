import type { Observable } from "rxjs";
import { anObject, aSignal, aText, check, checkOptions, withMethods, type Checks } from "../core/checks.js";
import type { Cause, Delivery } from "../core/delivery/delivery.js";
import type { DeliveryHost } from "../core/delivery/delivery-host.js";
import { LiveDelivery } from "../core/delivery/live-delivery.js";
import { addHeaders } from "../core/delivery/metadata.js";
import type { Fault } from "../core/delivery/outcome.js";
import { checkObject } from "../core/errors.js";
import { createEnvelope, type Envelope, type Headers, type MessageMeta } from "../core/messages/envelope.js";
import type { ResultOf } from "../core/messages/message.js";
import type { Clock } from "../core/util/clock.js";

/** Options of {@link delivery}: those of a dispatch, and those that a bus would decide. */
export interface TestDeliveryOptions {
  /** The message id. @defaultValue "1" */
  readonly id?: string | undefined;
  /** @defaultValue a clock that stands still at 0 */
  readonly clock?: Clock | undefined;
  /** Aborting it rejects the delivery with its reason. @defaultValue none */
  readonly signal?: AbortSignal | undefined;
  /** Headers of the envelope. @defaultValue none */
  readonly headers?: Headers | undefined;
  /** The handler's context or the envelope that the delivery is an effect of. @defaultValue none */
  readonly causedBy?: Cause | undefined;
  /** The local context. @defaultValue that of `causedBy` */
  readonly context?: object | undefined;
}

/** A delivery without a bus. */
export interface TestDelivery<M = object, R = unknown> extends Delivery<M, R> {
  /** How the delivery was settled, `undefined` while it is pending. */
  readonly settlement: PromiseSettledResult<R> | undefined;
  /** The faults that a bus would have emitted on `faults$`, oldest first. */
  readonly faults: readonly Fault[];
  /** Cancels the delivery, as its sender would. @defaultValue `reason` is an `AbortError` */
  abort(reason?: unknown): void;
}

const OPTIONS: Checks<TestDeliveryOptions> = {
  id: aText,
  clock: withMethods("a clock, which has a method now()", "now"),
  signal: aSignal,
  headers: anObject,
  // Checked where it is inherited, as a bus does.
  causedBy: check("a handler's context or an envelope", () => true),
  context: anObject,
};

const STOPPED: Clock = { now: () => 0, monotonicNow: () => 0 };

/**
 * Makes a delivery without a bus, for testing middleware as the operators they are. The test plays the rest
 * of the pipeline: it settles the deliveries that come out.
 *
 * Guarantees: the id is "1" and the time 0 by default; `settled$` and `settlement` say how the delivery was settled.
 *
 * @throws InvalidMessageError if the message is not an object or `causedBy` is not a cause
 * @throws InvalidOptionsError if another option is invalid
 * @example
 * const first = delivery(new CreateUser("u1"));
 * marbles(({ cold, expectObservable }) => {
 *   const source = cold("-a|", { a: first });
 *   expectObservable(source.pipe(delay(2))).toBe("---a|", { a: first });
 * });
 */
export function delivery<M extends object, R = ResultOf<M>>(
  message: M,
  options: TestDeliveryOptions = {},
): TestDelivery<M, R> {
  checkObject(message, "message");
  checkOptions("delivery()", options, OPTIONS);
  return new StandaloneDelivery(message, options) as unknown as TestDelivery<M, R>;
}

class StandaloneDelivery<M extends object> extends LiveDelivery<M> {
  readonly faults: readonly Fault[];

  constructor(
    message: M,
    { id = "1", clock = STOPPED, headers, causedBy, signal, context }: TestDeliveryOptions,
  ) {
    const faults: Fault[] = [];
    const host: DeliveryHost = {
      name: "TestBus",
      clock,
      ids: () => id,
      returnsValue: true,
      ended: () => undefined,
      attach: () => () => undefined,
      report: (fault) => void faults.push(fault),
    };
    super(host, message);
    this.faults = faults;
    if (headers !== undefined) addHeaders(this, headers);
    if (causedBy !== undefined) {
      this.inherit(causedBy);
      this.cancelWith(causedBy);
    }
    if (context !== undefined) this.links.local = context;
    if (signal !== undefined) this.abortOn(signal);
  }

  get settlement(): PromiseSettledResult<unknown> | undefined {
    let settlement: PromiseSettledResult<unknown> | undefined;
    const settled$: Observable<PromiseSettledResult<unknown>> = this.settled$;
    settled$.subscribe({ next: (how) => (settlement = how), error: () => undefined }).unsubscribe();
    return settlement;
  }

  override abort(reason: unknown = new DOMException("The test aborted this delivery.", "AbortError")): void {
    this.cancel(reason);
  }
}

/**
 * Makes an envelope that is the same each time: id "1", time 0, and the rest as `Envelope.of` makes it.
 *
 * @throws InvalidMessageError as `Envelope.of` does
 * @example
 * expect(toLogLine(envelope(new CreateUser("u1"), { correlationId: "request-7" }))).toMatchSnapshot();
 */
export function envelope<M extends object>(message: M, meta: Partial<MessageMeta> = {}): Envelope<M> {
  checkObject(meta, "meta");
  return createEnvelope(message, { id: "1", time: 0, ...meta });
}
