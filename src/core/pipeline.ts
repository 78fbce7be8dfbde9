import { EMPTY, isObservable, Observable, pipe } from "rxjs";
import { captureContext, type ContextRunner } from "./async-context.js";
import { LiveDelivery, type Delivery } from "./delivery.js";
import { InvalidMiddlewareError, MessageDroppedError, MiddlewareCrashedError } from "./errors.js";
import {
  formOf,
  middlewareName,
  notADelivery,
  replying,
  type Middleware,
  type Place,
  type Step,
} from "./middleware.js";
import { isThenable } from "./thenable.js";

/** Turns middleware, first one outermost, into one function over `rest`, so that nothing is composed again per message. */
export function build(middleware: readonly Middleware[], rest: Step, place: Place): Step {
  let step = rest;
  for (let end = middleware.length; end > 0;) {
    const form = formOf(middleware[end - 1]!);
    // Neighbouring operators share one subscription.
    let start = end - 1;
    while (form === undefined && start > 0 && formOf(middleware[start - 1]!) === undefined) start--;
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
  const operator =
    operators.length === 1
      ? operators[0]!
      : (pipe as (...all: readonly Middleware[]) => Middleware)(...operators);
  const named = operators.filter((operator) => operator.name !== "").map(middlewareName);
  const name =
    operators.length === 1
      ? middlewareName(operators[0]!)
      : `(one of ${[...named, `${operators.length} neighbouring operators`].join(", ")})`;

  return replying((delivery) => {
    let forwarded = false;
    let enter: ContextRunner | undefined;

    const forward = (out: Delivery): void => {
      if (!(out instanceof LiveDelivery)) throw notADelivery(name, delivery.typeName);
      if (forwarded && out.reply === delivery.reply) {
        delivery.owner.report({
          kind: "middleware",
          source: name,
          error: new MiddlewareCrashedError(
            `Middleware ${name} forwarded ${delivery.typeName} twice; forward a fork().`,
          ),
        });
      }
      forwarded = true;
      if (enter === undefined) out.run(rest);
      else enter(() => out.run(rest));
    };

    const source = new Observable<Delivery>((subscriber) => {
      subscriber.next(delivery);
      subscriber.complete();
    });
    const subscription = operator(source).subscribe({
      next(out) {
        try {
          forward(out);
        } catch (error) {
          delivery.fail(error);
        }
      },
      error: (error: unknown) => delivery.fail(error),
      complete: () => {
        if (!forwarded && delivery.pending) delivery.fail(new MessageDroppedError(delivery.typeName, name));
      },
    });
    if (!subscription.closed) delivery.whenSettled(() => subscription.unsubscribe());
    if (!forwarded && delivery.pending) enter = captureContext();
  }, outermost);
}

/** At construction, and without a message: what can be known to be no middleware should not wait for the first dispatch. */
export function checkMiddleware(middleware: readonly Middleware[]): void {
  for (const [index, item] of middleware.entries()) {
    const refuse = (problem: string): never => {
      throw new InvalidMiddlewareError(
        `middleware[${index}]${typeof item === "function" && item.name ? ` (${item.name})` : ""} ${problem}.`,
      );
    };
    if (typeof item !== "function")
      refuse(
        `is ${item === null ? "null" : `a value of type ${typeof item}`}; pass an RxJS operator, around(), shared() or when()`,
      );
    if (formOf(item) !== undefined) continue;
    if (item.length > 1) refuse("takes more than a stream; wrap a function (message, next) in around()");
    const piped: unknown = item(EMPTY);
    if (isThenable(piped)) piped.then(undefined, () => undefined);
    if (!isObservable(piped))
      refuse("does not return an Observable; an operator takes a stream and returns one");
  }
}
