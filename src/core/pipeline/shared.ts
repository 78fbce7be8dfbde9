import { replying, withStepFactory, type Step } from "./form.js";
import { Subject, Subscription, type OperatorFunction } from "rxjs";
import { captureContext, type AsyncScope } from "../util/async-context.js";
import { LONGEST_TIMEOUT_MS } from "../util/clock.js";
import type { Delivery } from "../delivery/delivery.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import type { DeliveryHost, Closeable } from "../delivery/delivery-host.js";
import {
  BusClosedError,
  checkObject,
  InvalidMiddlewareError,
  MessageHeldError,
  MiddlewareCrashedError,
} from "../errors.js";
import { checkMiddleware } from "./compose.js";
import { notADelivery, type Middleware } from "./middleware.js";

export interface SharedOptions {
  /** How long one message may be held before it is rejected with `MessageHeldError`; `Infinity` for ever. @defaultValue 30_000 */
  readonly holdTimeoutMs?: number;
}

/**
 * One instance of an operator across all messages, for what needs to see the stream: throttle, buffer, debounce.
 *
 * Guarantees: supervised. If it errors or completes, what it held is rejected with `MiddlewareCrashedError` and a fresh instance goes on.
 * What it neither forwards nor settles within `holdTimeoutMs` is rejected with `MessageHeldError`.
 *
 * @example
 * new CommandBus({ middleware: [shared(throttleTime(100), { holdTimeoutMs: 200 })] });
 */
export function shared<M extends object = object, R = unknown>(
  operator: OperatorFunction<Delivery<M, R>, Delivery<M, R>>,
  options: SharedOptions = {},
): Middleware<M, R> {
  checkMiddleware(operator, "the operator of shared()");
  checkObject(options, "options of shared()");
  const { holdTimeoutMs = 30_000 } = options;
  if (!(holdTimeoutMs > 0))
    throw new InvalidMiddlewareError(`holdTimeoutMs must be above 0; received ${String(holdTimeoutMs)}.`);
  const name = operator.name || "shared";
  return withStepFactory(
    (source) => operator(source),
    name,
    (rest, { host, outermost, attach }) => {
      const stage = new SharedStage(operator, name, holdTimeoutMs, rest, host);
      attach(stage);
      return replying((delivery) => stage.push(delivery), outermost);
    },
  );
}

interface Held {
  readonly deadlineMs: number;
  readonly instance: Instance;
  scope?: AsyncScope;
}

/** One life of the operator. */
class Instance {
  // eslint-disable-next-line rxjs-x/no-exposed-subjects -- this class does not leave the file
  readonly input = new Subject<Delivery>();
  readonly subscription = new Subscription();
}

/** Runs one operator instance for all messages, supervises it, and answers for what it keeps. */
class SharedStage implements Closeable {
  readonly #operator: Middleware;
  readonly #name: string;
  readonly #holdTimeoutMs: number;
  readonly #rest: Step;
  readonly #host: DeliveryHost;
  /** What went in and neither came out nor was settled, oldest first, hence in order of deadline. */
  readonly #held = new Map<LiveDelivery, Held>();
  readonly #instances = new Set<Instance>();
  #current: Instance | undefined;
  #closing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(operator: Middleware, name: string, holdTimeoutMs: number, rest: Step, host: DeliveryHost) {
    this.#operator = operator;
    this.#name = name;
    this.#holdTimeoutMs = Math.min(holdTimeoutMs, LONGEST_TIMEOUT_MS);
    this.#rest = rest;
    this.#host = host;
  }

  push(delivery: LiveDelivery): void {
    const instance = (this.#current ??= new Instance());
    const held: Held = { deadlineMs: performance.now() + this.#holdTimeoutMs, instance };
    this.#held.set(delivery.reply, held);
    if (!this.#instances.has(instance)) this.#start(instance);
    instance.input.next(delivery);
    if (this.#closing) this.flush();
    if (this.#held.get(delivery.reply) !== held) return;
    // It waits: whatever lets it go will run in another message's context.
    held.scope = captureContext();
    delivery.whenSettled(() => this.#release(delivery.reply));
    this.#arm();
  }

  /** Completes the input, on which operators let go of what they keep. */
  flush(): void {
    this.#closing = true;
    const instance = this.#current;
    this.#current = undefined;
    instance?.input.complete();
  }

  stop(): void {
    for (const { subscription } of this.#instances) subscription.unsubscribe();
    this.#instances.clear();
    this.#disarm();
  }

  #start(instance: Instance): void {
    this.#instances.add(instance);
    try {
      instance.subscription.add(
        this.#operator(instance.input).subscribe({
          next: (out: Delivery) =>
            out instanceof LiveDelivery
              ? this.#forward(out as LiveDelivery)
              : this.#ended(instance, notADelivery(this.#name)),
          error: (error: unknown) => this.#ended(instance, error),
          complete: () => this.#ended(instance),
        }),
      );
    } catch (error) {
      this.#ended(instance, error);
    }
  }

  #forward(out: LiveDelivery): void {
    out.runIn(this.#release(out.reply)?.scope, this.#rest);
  }

  #release(reply: LiveDelivery): Held | undefined {
    const held = this.#held.get(reply);
    this.#held.delete(reply);
    if (this.#held.size === 0) this.#disarm();
    return held;
  }

  /** An operator that completes while the bus is closing was told to; otherwise its end is a crash, and the next message starts a fresh instance. */
  #ended(instance: Instance, cause?: unknown): void {
    if (this.#current === instance) this.#current = undefined;
    this.#instances.delete(instance);
    instance.subscription.unsubscribe();
    const told = this.#closing && cause === undefined;
    const crash = (messageType?: string): MiddlewareCrashedError =>
      new MiddlewareCrashedError(
        `Shared middleware ${this.#name} ${cause === undefined ? "completed" : "failed"}${messageType === undefined ? "" : ` while it held ${messageType}`}; a fresh instance takes over.`,
        cause === undefined ? { messageType } : { messageType, cause },
      );
    for (const [reply, held] of [...this.#held]) {
      if (held.instance !== instance) continue;
      this.#release(reply);
      reply.reject(told ? new BusClosedError(this.#host.name, reply.typeName) : crash(reply.typeName));
    }
    if (!told) this.#host.report({ kind: "middleware", source: this.#name, error: crash() });
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#holdTimeoutMs === LONGEST_TIMEOUT_MS) return;
    for (const { deadlineMs } of this.#held.values()) {
      this.#timer = setTimeout(() => this.#expire(), Math.max(0, deadlineMs - performance.now()));
      // A process with nothing else to do may exit.
      (this.#timer as { unref?(): void }).unref?.();
      return;
    }
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [reply, { deadlineMs }] of [...this.#held]) {
      if (deadlineMs > now) break;
      reply.reject(new MessageHeldError(reply.typeName, this.#name, this.#holdTimeoutMs));
    }
    this.#arm();
  }
}
