import { Observable, type Subscription } from "rxjs";
import { abortError } from "../delivery/abort.js";
import type { StreamSink } from "../delivery/consume-stream.js";
import type { Delivery } from "../delivery/delivery.js";
import { Engine, type BusKind } from "./engine.js";
import type { Envelope } from "../messages/envelope.js";
import { registrationFor } from "../handlers/check-handler.js";
import type { Middleware } from "../pipeline/middleware.js";
import type { Handler, RefreshOptions } from "../handlers/handler.js";
import { withMiddleware } from "../pipeline/handler-middleware.js";
import { FULFILLED } from "../delivery/live-delivery.js";
import { checkOptions, type Checks } from "../checks.js";
import { COPY, MADE_BY } from "../util/copy.js";
import { streamHandler } from "./stream-handler.js";
import type { MessageType } from "../messages/message.js";
import type {
  BusDescription,
  BusOptions,
  CloseOptions,
  CloseReport,
  DeliveriesOptions,
  DispatchOptions,
} from "./options.js";
import type { Fault, Outcome, Refusal } from "../delivery/outcome.js";
import type { HandlerRegistry } from "../handlers/registry.js";

/** The base of the three buses. Each adds the method that sends its kind of message. */
export abstract class Bus {
  #engine: Engine;
  readonly #renew: () => Engine;

  /** @internal */
  constructor(kind: BusKind, options: BusOptions = {}, rules: Checks<BusOptions>) {
    checkOptions(`new ${kind.name}()`, options, rules);
    this.#renew = () => new Engine(kind, options);
    this.#engine = this.#renew();
  }

  /** Every message as it is accepted, before any middleware sees it. */
  get messages$(): Observable<Envelope> {
    return this.#engine.observers.messages.stream;
  }

  /** The outcome of every accepted message. */
  get outcomes$(): Observable<Outcome> {
    return this.#engine.observers.outcomes.stream;
  }

  /** Errors that no message's promise carries. Without a subscriber they go to the console, at most one a second. */
  get faults$(): Observable<Fault> {
    return this.#engine.observers.faults.stream;
  }

  /**
   * The messages that the bus refused to accept, which have neither an envelope nor an outcome: of an unknown
   * type, invalid, nested too deep, or sent while the bus closes. Completes with the other streams.
   */
  get refused$(): Observable<Refusal> {
    return this.#engine.observers.refused.stream;
  }

  /** The handlers of the bus, by message type. */
  get registry(): HandlerRegistry {
    return this.#engine.registry;
  }

  /** How many accepted messages have not been settled. */
  get inFlight(): number {
    return this.#engine.inFlight;
  }

  /** @internal */
  get [MADE_BY](): typeof COPY {
    return COPY;
  }

  /** @internal For the buses and the layers above them. */
  get engine(): Engine {
    return this.#engine;
  }

  /** @internal Makes the bus new, except for a registry that it was given. */
  renew(): void {
    this.#engine.stop();
    this.#engine = this.#renew();
  }

  /** @internal */
  protected addHandler(
    type: MessageType,
    handler: Handler,
    middleware: readonly Middleware<never, never>[] = [],
    refresh?: RefreshOptions<never, never>,
  ): Subscription {
    const { registry } = this.#engine;
    const plain = registrationFor(type, handler, refresh);
    if (middleware.length === 0) return registry.add(type, plain);
    const registration = withMiddleware(plain, middleware, "middleware");
    registration.build(this.#engine);
    const subscription = registry.add(type, registration);
    subscription.add(() => registration.release());
    return subscription;
  }

  /** @internal */
  protected streamOf<M extends object, R, Local extends object>(
    type: MessageType<M>,
    options: DeliveriesOptions | undefined,
  ): Observable<Delivery<M, R, Local>> {
    return streamHandler(type, this.#engine, options) as Observable<Delivery<never>> as Observable<
      Delivery<M, R, Local>
    >;
  }

  /** @internal The cold form: subscribing sends, unsubscribing aborts. */
  protected cold(message: object, options: DispatchOptions | undefined): Observable<unknown> {
    return new Observable((subscriber) => {
      const sink: StreamSink = {
        reply: "many",
        streamed: false,
        take(value) {
          subscriber.next(value);
          return !subscriber.closed;
        },
      };
      const delivery = this.#engine.send(message, options, {
        ...(this.#engine.returnsValue && { sink }),
        // Add the teardown before the message runs, because an observer of the messages, or the handler, may end the
        // subscriber.
        accepted: (delivery) =>
          subscriber.add(() =>
            delivery.cancel(abortError(`The subscriber of ${delivery.typeName} has left.`)),
          ),
      });
      delivery.whenSettled(() => {
        if (delivery.status !== FULFILLED) return subscriber.error(delivery.result);
        if (!sink.streamed) subscriber.next(delivery.result);
        subscriber.complete();
      });
    });
  }

  /** Describes the bus as plain data: its middleware, message types and handlers. */
  describe(): BusDescription {
    return this.#engine.describe();
  }

  /**
   * Stops accepting messages, waits for those in flight, and completes the observables. Called again, it returns
   * the same promise.
   *
   * Guarantees: every promise settles. At the deadline, messages still in flight are aborted with `BusClosedError`.
   * Until then, messages in flight may dispatch the messages that they need, with their context as `causedBy`.
   * `closeAll()` closes several buses that need each other.
   */
  close(options?: CloseOptions): Promise<CloseReport> {
    return this.#engine.close(options?.timeoutMs ?? 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
