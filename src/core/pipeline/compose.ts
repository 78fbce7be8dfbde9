import { stepFactoryOf, replying, type BuildContext, type Step } from "./form.js";
import { EMPTY, isObservable, Observable, pipe, type Observer } from "rxjs";
import { captureContext, type AsyncScope } from "../util/async-context.js";
import type { Delivery } from "../delivery/delivery.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import { InvalidMiddlewareError, MessageDroppedError, MiddlewareCrashedError } from "../errors.js";
import { middlewareName, notADelivery, type Middleware } from "./middleware.js";
import { onFinished } from "./detached-work.js";
import { isThenable } from "../util/thenable.js";

/** Turns middleware, first one outermost, into one function over `rest`, so that nothing is composed again per message. */
export function compose(middleware: readonly Middleware[], rest: Step, place: BuildContext): Step {
  let step = rest;
  for (let end = middleware.length; end > 0;) {
    const form = stepFactoryOf(middleware[end - 1]!);
    // Neighbouring operators share one subscription.
    let start = end - 1;
    while (form === undefined && start > 0 && stepFactoryOf(middleware[start - 1]!) === undefined) start--;
    const here = { ...place, outermost: place.outermost && start === 0 };
    step =
      form === undefined
        ? operatorStep(middleware.slice(start, end), step, here.outermost)
        : form(step, here);
    end = start;
  }
  return step;
}

/** Runs each message through its own subscription of the operators, so that what one message does to them concerns no other. */
function operatorStep(operators: readonly Middleware[], rest: Step, outermost: boolean): Step {
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

/** A message on its way through operators. */
class Passage implements Observer<Delivery> {
  readonly #delivery: LiveDelivery;
  readonly #rest: Step;
  readonly #name: string;
  #forwarded = false;
  #scope: AsyncScope | undefined;

  constructor(delivery: LiveDelivery, rest: Step, name: string) {
    this.#delivery = delivery;
    this.#rest = rest;
    this.#name = name;
  }

  next(out: Delivery): void {
    try {
      if (!(out instanceof LiveDelivery)) throw notADelivery(this.#name, this.#delivery.typeName);
      this.#forward(out as LiveDelivery);
    } catch (error) {
      this.#delivery.fail(error);
    }
  }

  error(error: unknown): void {
    this.#delivery.fail(error);
  }

  complete(): void {
    if (!this.#forwarded && this.#delivery.pending)
      this.#delivery.fail(new MessageDroppedError(this.#delivery.typeName, this.#name));
  }

  /** It goes on later, in whatever context, and has to find its own again. */
  waits(): void {
    if (!this.#forwarded && this.#delivery.pending) this.#scope = captureContext();
  }

  #forward(out: LiveDelivery): void {
    if (this.#forwarded && out.reply === this.#delivery.reply) this.#twice();
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

/** At construction, and without a message: what can be known to be no middleware should not wait for the first dispatch. */
export function checkMiddleware(middleware: unknown, place: string): asserts middleware is Middleware {
  const refuse = (problem: string): never => {
    const name = typeof middleware === "function" && middleware.name ? ` (${middleware.name})` : "";
    throw new InvalidMiddlewareError(`${place}${name} ${problem}.`);
  };
  if (typeof middleware !== "function")
    return refuse(
      `is ${middleware === null ? "null" : `a value of type ${typeof middleware}`}; pass an RxJS operator, around(), shared() or when()`,
    );
  const operator = middleware as Middleware;
  if (stepFactoryOf(operator) !== undefined) return;
  if (operator.length > 1) refuse("takes more than a stream; wrap a function (message, next) in around()");
  let piped: unknown;
  try {
    piped = operator(EMPTY);
  } catch (error) {
    if (error instanceof InvalidMiddlewareError) refuse("is what makes a middleware; call it");
    throw error;
  }
  if (typeof piped === "function") refuse("is what makes a middleware; call it");
  if (isThenable(piped)) piped.then(undefined, () => undefined);
  if (!isObservable(piped))
    refuse("does not return an Observable; an operator takes a stream and returns one");
}
