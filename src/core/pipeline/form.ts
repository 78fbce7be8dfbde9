import { Observable } from "rxjs";
import { LATER, LiveDelivery } from "../delivery/live-delivery.js";
import type { DeliveryHost, Closeable } from "../delivery/delivery-host.js";
import { onFinished } from "./detached-work.js";
import { notADelivery, type Middleware } from "./middleware.js";

/** Handles a delivery from here on: returns its value or a promise of it, throws, or returns `LATER` and settles the delivery itself. */
export type Step = (delivery: LiveDelivery) => unknown;

/** Where in a bus a middleware is built in. */
export interface BuildContext {
  readonly host: DeliveryHost;
  /** Nothing waits for the result above it, so that it may settle the delivery itself. */
  readonly outermost: boolean;
  /** For what has to be ended with the bus; the returned function takes it back. */
  readonly attach: (part: Closeable) => () => void;
  /** It is built anew for each message: inside an operator, such as a `pipe`, that the bus cannot look into. */
  readonly perMessage?: boolean;
}

/** The state of a middleware: one for each place that it is built into, but one for all messages of a bus where it is built for each of them. */
export function stateIn<S>(make: (place: BuildContext) => S): (place: BuildContext) => S {
  const states = new WeakMap<DeliveryHost, S>();
  return (place) => {
    const { host, perMessage } = place;
    if (!perMessage) return make(place);
    let state = states.get(host);
    if (state === undefined)
      states.set(host, (state = make({ ...place, attach: (part) => host.attach(part) })));
    return state;
  };
}

/** How a bus runs a middleware, if other than by subscribing to it as an operator for each message. */
export type StepFactory = (rest: Step, place: BuildContext) => Step;

// Also recognised in the other module format.
const FORM = Symbol.for("cqrx.middleware.form");

export function stepFactoryOf(middleware: Middleware): StepFactory | undefined {
  return (middleware as { readonly [FORM]?: StepFactory })[FORM];
}

/** A middleware that is a plain operator wherever it is composed with others, and runs by its form where a bus recognises it. */
export function withStepFactory<M, R>(
  operator: Middleware<M, R>,
  name: string,
  form: StepFactory,
): Middleware<M, R> {
  return Object.defineProperties(operator, { name: { value: name }, [FORM]: { value: form } });
}

/**
 * A middleware that is written as a form, with a plain operator made of it for where it is composed with others or tested with marbles.
 *
 * @param answers - the form only ever runs deliveries with the rest, and does not look at what the rest returns: its operator then needs neither
 * forks nor promises, and works in virtual time
 */
export function createMiddleware<M, R>(name: string, form: StepFactory, answers = false): Middleware<M, R> {
  return withStepFactory(asOperator(name, form, answers), name, form) as unknown as Middleware<M, R>;
}

function asOperator(name: string, form: StepFactory, answers: boolean): Middleware {
  return (source) =>
    new Observable((subscriber) => {
      let running = 1;
      const ended = (): void => {
        if (--running === 0) subscriber.complete();
      };
      const parts = new Set<Closeable>();
      subscriber.add(() => parts.forEach((part) => part.stop()));
      const attach = (part: Closeable): (() => void) => {
        parts.add(part);
        return () => parts.delete(part);
      };
      let step: Step | undefined;
      return source.subscribe({
        next(delivery) {
          if (!(delivery instanceof LiveDelivery)) return subscriber.error(notADelivery(name));
          running++;
          try {
            const { host } = delivery;
            step ??= form(
              replying((out) => subscriber.next(out), answers),
              { host, outermost: answers, attach, perMessage: host.kind !== undefined },
            );
          } catch (error) {
            return subscriber.error(error);
          }
          delivery.run(step);
          onFinished(delivery as LiveDelivery, ended);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: ended,
      });
    });
}

/**
 * A step that passes deliveries on and answers by their reply address. Where a function waits for the result above it, it gets a fork: that function
 * may catch the error, and decides what the outer reply is.
 */
export function replying(push: (delivery: LiveDelivery) => void, outermost: boolean): Step {
  if (outermost) {
    return (delivery) => {
      push(delivery);
      return LATER;
    };
  }
  return (delivery) => {
    const fork = delivery.fork();
    push(fork);
    return fork.asResult();
  };
}
