import type { Observable } from "rxjs";
import { checkSignal } from "../core/delivery/abort.js";
import type { Clock } from "../core/util/clock.js";
import type { Delivery } from "../core/delivery/delivery.js";
import { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { DeliveryHost } from "../core/delivery/delivery-host.js";
import { Envelope, type MessageMeta } from "../core/messages/envelope.js";
import { checkObject, refuse } from "../core/errors.js";
import type { ResultOf } from "../core/messages/message.js";
import type { DispatchOptions } from "../core/bus/options.js";
import type { Fault } from "../core/delivery/outcome.js";

/** What a bus would have decided. */
export interface TestDeliveryOptions extends DispatchOptions {
  /** @defaultValue "1" */
  readonly id?: string;
  /** @defaultValue a clock that stands still at 0 */
  readonly clock?: Clock;
}

/** A delivery without a bus. */
export interface TestDelivery<M = object, R = unknown> extends Delivery<M, R> {
  /** How it was settled, `undefined` until it is. */
  readonly settlement: PromiseSettledResult<R> | undefined;
  /** What a bus would have reported on `faults$`, oldest first. */
  readonly faults: readonly Fault[];
  /** Cancels it, as its sender would. @defaultValue `reason` is an `AbortError` */
  abort(reason?: unknown): void;
}

const STOPPED: Clock = { now: () => 0, monotonicNow: () => 0 };

/**
 * A delivery without a bus, for testing middleware as the operators they are. The test plays the rest of the pipeline: it settles what comes out.
 *
 * Guarantees: its id is "1" and its time 0, unless told otherwise; `settled$` and `settlement` say how it was settled.
 *
 * @throws InvalidMessageError for a message, or an option, that is none.
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
  checkObject(options, "options");
  return new StandaloneDelivery(message, options) as unknown as TestDelivery<M, R>;
}

class StandaloneDelivery<M extends object> extends LiveDelivery<M> {
  readonly faults: readonly Fault[];

  constructor(message: M, { id = "1", clock = STOPPED, headers, causedBy, signal }: TestDeliveryOptions) {
    if (typeof (clock as Partial<Clock> | null)?.now !== "function")
      refuse("options.clock", "is not a clock, which has a method now()");
    if (signal !== undefined) checkSignal(signal, "options.signal");
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
    if (headers !== undefined) this.addHeaders(headers);
    if (causedBy !== undefined) {
      this.inherit(causedBy);
      this.cancelWith(causedBy);
    }
    if (signal !== undefined) this.abortOn(signal);
  }

  get settlement(): PromiseSettledResult<unknown> | undefined {
    let settlement: PromiseSettledResult<unknown> | undefined;
    const settled$: Observable<PromiseSettledResult<unknown>> = this.settled$;
    settled$.subscribe({ next: (how) => (settlement = how), error: () => undefined }).unsubscribe();
    return settlement;
  }

  override abort(reason: unknown = new DOMException("The test aborted this delivery.", "AbortError")): void {
    super.abort(reason);
  }
}

/**
 * An envelope that is the same each time: id "1", time 0, and the rest as `Envelope.of` makes it.
 *
 * @throws InvalidMessageError as `Envelope.of` does.
 * @example
 * expect(toLogLine(envelope(new CreateUser("u1"), { correlationId: "request-7" }))).toMatchSnapshot();
 */
export function envelope<M extends object>(message: M, meta: Partial<MessageMeta> = {}): Envelope<M> {
  checkObject(meta, "meta");
  return Envelope.of(message, { id: "1", time: 0, ...meta });
}
