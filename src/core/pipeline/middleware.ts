import { Observable } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import { LATER, LiveDelivery } from "../delivery/live-delivery.js";
import type { Owner } from "../delivery/delivery-host.js";
import { MiddlewareCrashedError } from "../errors.js";
import { whenDone } from "./detached-work.js";

/**
 * A middleware is an RxJS operator over deliveries, whichever of the three ways it is written:
 *
 * 1. any operator: `tap`, `filter`, `mergeMap`, ... Each message runs through its own subscription of it: what it throws rejects that message only,
 *    what it filters out rejects that message with `MessageDroppedError`, what it delays is delayed.
 * 2. {@link around}: the function form.
 * 3. {@link shared}: one instance of an operator across all messages.
 */
export type Middleware<M = object, R = unknown> = {
  // As a method, whose parameter is compared both ways: a middleware for some messages fits where one for all is taken.
  operator(source: Observable<Delivery<M, R>>): Observable<Delivery<M, R>>;
}["operator"];

/** Handles a delivery from here on: returns its value or a promise of it, throws, or returns `LATER` and settles the delivery itself. */
export type Step = (delivery: LiveDelivery) => unknown;

/** Something that ends with the bus. */
export interface Part {
  /** The bus is closing: let go of the messages that are held. */
  flush?(): void;
  /** The bus is closed. */
  stop(): void;
}

/** Where in a bus a middleware is built in. */
export interface Place {
  readonly owner: Owner;
  /** Nothing waits for the result above it, so that it may settle the delivery itself. */
  readonly outermost: boolean;
  /** For what has to be ended with the bus; the returned function takes it back. */
  readonly attach: (part: Part) => () => void;
  /** It is built anew for each message: inside an operator, such as a `pipe`, that the bus cannot look into. */
  readonly perMessage?: boolean;
}

/** The state of a middleware: one for each place that it is built into, but one for all messages of a bus where it is built for each of them. */
export function stateIn<S>(make: (place: Place) => S): (place: Place) => S {
  const states = new WeakMap<Owner, S>();
  return (place) => {
    const { owner, perMessage } = place;
    if (!perMessage) return make(place);
    let state = states.get(owner);
    if (state === undefined)
      states.set(owner, (state = make({ ...place, attach: (part) => owner.attach(part) })));
    return state;
  };
}

/** How a bus runs a middleware, if other than by subscribing to it as an operator for each message. */
export type Form = (rest: Step, place: Place) => Step;

// Also recognised in the other module format.
const FORM = Symbol.for("cqrx.middleware.form");

export function formOf(middleware: Middleware): Form | undefined {
  return (middleware as { readonly [FORM]?: Form })[FORM];
}

/** A middleware that is a plain operator wherever it is composed with others, and runs by its form where a bus recognises it. */
export function withForm<M, R>(operator: Middleware<M, R>, name: string, form: Form): Middleware<M, R> {
  return Object.defineProperties(operator, { name: { value: name }, [FORM]: { value: form } });
}

/**
 * A middleware that is written as a form, with a plain operator made of it for where it is composed with others or tested with marbles.
 *
 * @param answers - the form only ever runs deliveries with the rest, and does not look at what the rest returns: its operator then needs neither
 * forks nor promises, and works in virtual time
 */
export function fromForm<M, R>(name: string, form: Form, answers = false): Middleware<M, R> {
  return withForm(asOperator(name, form, answers), name, form) as unknown as Middleware<M, R>;
}

function asOperator(name: string, form: Form, answers: boolean): Middleware {
  return (source) =>
    new Observable((subscriber) => {
      let running = 1;
      const ended = (): void => {
        if (--running === 0) subscriber.complete();
      };
      const parts = new Set<Part>();
      subscriber.add(() => parts.forEach((part) => part.stop()));
      const attach = (part: Part): (() => void) => {
        parts.add(part);
        return () => parts.delete(part);
      };
      let step: Step | undefined;
      return source.subscribe({
        next(delivery) {
          if (!(delivery instanceof LiveDelivery)) return subscriber.error(notADelivery(name));
          running++;
          try {
            const { owner } = delivery;
            step ??= form(
              replying((out) => subscriber.next(out), answers),
              { owner, outermost: answers, attach, perMessage: owner.kind !== undefined },
            );
          } catch (error) {
            return subscriber.error(error);
          }
          delivery.run(step);
          whenDone(delivery as LiveDelivery, ended);
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
    return fork.outcome();
  };
}

/** What a middleware is called in errors and in `describe()`. */
export function middlewareName(middleware: Middleware): string {
  return middleware.name || "(operator)";
}

/** The error for an operator that emits something of its own, such as the message. */
export function notADelivery(middleware: string, messageType?: string): MiddlewareCrashedError {
  return new MiddlewareCrashedError(
    `${middleware} forwarded something that is not a delivery; forward the delivery, or delivery.with(message).`,
    {
      messageType,
    },
  );
}
