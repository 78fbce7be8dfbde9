import { Observable, pipe, Subscriber } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import { MessageDroppedError, MiddlewareCrashedError } from "../errors.js";
import { captureContext, type AsyncScope } from "../util/async-context.js";
import { onFinished } from "./detached-work.js";
import { middlewareName, replying, type Step } from "./form.js";
import { notADelivery, type Middleware } from "./middleware.js";

/**
 * Makes a step that runs each message through its own subscription of the operators, so that a fault of one
 * message stays with it.
 */
export function operatorStep(operators: readonly Middleware[], rest: Step, outermost: boolean): Step {
  const piped = (pipe as (...all: readonly Middleware[]) => Middleware)(...operators);
  const name =
    operators.length === 1
      ? middlewareName(operators[0]!)
      : `(one of ${operators.length} neighbouring operators)`;

  return replying((delivery) => {
    const passage = new Passage(delivery, rest, name);
    const source = new Observable<Delivery>((subscriber) => {
      subscriber.next(delivery);
      subscriber.complete();
    });
    const subscription = piped(source).subscribe(passage);
    if (subscription.closed) return;
    onFinished(delivery, () => subscription.unsubscribe());
    passage.waits();
  }, outermost);
}

/**
 * Subscribes to the operators on behalf of one message. A Subscriber itself, because RxJS makes two more objects for
 * every other observer.
 */
// eslint-disable-next-line rxjs-x/no-subclass -- see above
class Passage extends Subscriber<Delivery> {
  readonly #delivery: LiveDelivery;
  readonly #rest: Step;
  readonly #name: string;
  #forwarded = false;
  #scope: AsyncScope | undefined;

  constructor(delivery: LiveDelivery, rest: Step, name: string) {
    super();
    this.#delivery = delivery;
    this.#rest = rest;
    this.#name = name;
  }

  protected override _next(out: Delivery): void {
    try {
      if (!(out instanceof LiveDelivery)) throw notADelivery(this.#name, out, this.#delivery.typeName);
      this.#forward(out as LiveDelivery);
    } catch (error) {
      this.#delivery.fail(error);
    }
  }

  protected override _error(error: unknown): void {
    this.#delivery.fail(error);
    this.unsubscribe();
  }

  protected override _complete(): void {
    if (!this.#forwarded && this.#delivery.pending)
      this.#delivery.fail(new MessageDroppedError(this.#delivery.typeName, this.#name));
    this.unsubscribe();
  }

  /** Keeps the async context of a message that waits, because a timer or another message will release it. */
  waits(): void {
    if (!this.#forwarded && this.#delivery.pending) this.#scope = captureContext();
  }

  #forward(out: LiveDelivery): void {
    if (this.#forwarded && out.holder === this.#delivery.holder) this.#twice();
    this.#forwarded = true;
    out.runIn(this.#scope, this.#rest);
  }

  #twice(): void {
    const { host, typeName } = this.#delivery;
    host.report({
      kind: "middleware",
      source: this.#name,
      error: new MiddlewareCrashedError(
        `Middleware ${this.#name} forwarded ${typeName} twice; forward a fork().`,
      ),
    });
  }
}
