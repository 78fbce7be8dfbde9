import { Subject, Subscription } from "rxjs";
import type { Closeable, DeliveryHost } from "../delivery/delivery-host.js";
import type { Delivery } from "../delivery/delivery.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import { reportingErrors } from "../delivery/reporting-errors.js";
import { BusClosedError, MessageHeldError, MiddlewareCrashedError } from "../errors.js";
import { captureContext, type AsyncScope } from "../util/async-context.js";
import { Deadlines } from "../util/deadlines.js";
import type { Step } from "./form.js";
import { notADelivery, type Middleware } from "./middleware.js";

interface Held {
  readonly instance: Instance;
  scope?: AsyncScope;
}

/** One life of the operator, from its first message to its end. */
class Instance {
  // eslint-disable-next-line rxjs-x/no-exposed-subjects -- this class does not leave the file
  readonly input = new Subject<Delivery>();
  readonly subscription = new Subscription();
}

/** Runs one operator instance for all messages, restarts it when it ends, and settles the messages that it keeps. */
export class SupervisedOperator implements Closeable {
  readonly #operator: Middleware;
  readonly #name: string;
  readonly #rest: Step;
  readonly #host: DeliveryHost;
  /** Messages that went in and neither came out nor were settled. */
  readonly #held = new Map<LiveDelivery, Held>();
  readonly #deadlines: Deadlines<LiveDelivery>;
  readonly #instances = new Set<Instance>();
  #current: Instance | undefined;
  #closing = false;

  constructor(operator: Middleware, name: string, holdTimeoutMs: number, rest: Step, host: DeliveryHost) {
    this.#operator = operator;
    this.#name = name;
    this.#deadlines = new Deadlines(holdTimeoutMs, (reply) =>
      reply.reject(new MessageHeldError(reply.typeName, `Shared middleware ${name}`, holdTimeoutMs)),
    );
    this.#rest = rest;
    this.#host = host;
  }

  push(delivery: LiveDelivery): void {
    const instance = (this.#current ??= new Instance());
    const held: Held = { instance };
    this.#held.set(delivery.holder, held);
    this.#deadlines.add(delivery.holder);
    if (!this.#instances.has(instance)) this.#start(instance);
    instance.input.next(delivery);
    if (this.#closing) this.flush();
    if (this.#held.get(delivery.holder) !== held) return;
    // The message waits, and the operator will release it in the async context of another message.
    held.scope = captureContext();
    delivery.whenSettled(() => this.#release(delivery.holder));
    this.#deadlines.arm();
  }

  /** Completes the input, on which operators emit the messages that they keep. */
  flush(): void {
    this.#closing = true;
    const instance = this.#current;
    this.#current = undefined;
    instance?.input.complete();
  }

  stop(): void {
    for (const instance of this.#instances) this.#unsubscribe(instance);
    this.#instances.clear();
    this.#deadlines.disarm();
  }

  #start(instance: Instance): void {
    this.#instances.add(instance);
    try {
      instance.subscription.add(
        this.#operator(instance.input).subscribe({
          next: (out: Delivery) =>
            out instanceof LiveDelivery
              ? this.#forward(out as LiveDelivery)
              : this.#ended(instance, notADelivery(this.#name, out)),
          error: (error: unknown) => this.#ended(instance, error),
          complete: () => this.#ended(instance),
        }),
      );
    } catch (error) {
      this.#ended(instance, error);
    }
  }

  #forward(out: LiveDelivery): void {
    out.runIn(this.#release(out.holder)?.scope, this.#rest);
  }

  #release(reply: LiveDelivery): Held | undefined {
    const held = this.#held.get(reply);
    this.#held.delete(reply);
    this.#deadlines.delete(reply);
    return held;
  }

  /**
   * Completing while the bus closes is expected. At any other time it counts as a crash, and the next message
   * starts a new instance.
   */
  #ended(instance: Instance, cause?: unknown): void {
    if (this.#current === instance) this.#current = undefined;
    this.#instances.delete(instance);
    this.#unsubscribe(instance);
    const expected = this.#closing && cause === undefined;
    for (const [reply, held] of [...this.#held]) {
      if (held.instance !== instance) continue;
      this.#release(reply);
      const { typeName } = reply;
      reply.reject(expected ? new BusClosedError(this.#host.name, typeName) : this.#crash(cause, typeName));
    }
    if (!expected) this.#host.report({ kind: "middleware", source: this.#name, error: this.#crash(cause) });
  }

  /** Reports what a teardown of the operator throws, because the messages that it held must settle all the same. */
  #unsubscribe({ subscription }: Instance): void {
    reportingErrors(this.#host, this.#name, () => subscription.unsubscribe());
  }

  #crash(cause: unknown, messageType?: string): MiddlewareCrashedError {
    const end = cause === undefined ? "completed" : "failed";
    const held = messageType === undefined ? "" : ` while it held ${messageType}`;
    return new MiddlewareCrashedError(
      `Shared middleware ${this.#name} ${end}${held}; the next message starts a new instance.`,
      { messageType, cause },
    );
  }
}
