import { Observable } from "rxjs";
import { LATER, LiveDelivery } from "../delivery/live-delivery.js";
import type { Closeable, DeliveryHost, GaugesDescription } from "../delivery/delivery-host.js";
import { COPY, MADE_BY } from "../util/copy.js";
import { functionName } from "../util/function-name.js";
import { onFinished } from "./detached-work.js";
import { notADelivery, type Middleware } from "./middleware.js";

/**
 * An operator joined with everything below it: takes a delivery from here to its handler. Returns the result or a
 * promise of it, throws, or returns `LATER` and settles the delivery itself.
 */
export type Step = (delivery: LiveDelivery) => unknown;

/** The place in a bus that a middleware is built into. */
export interface BuildContext {
  readonly host: DeliveryHost;
  /** No middleware above waits for the result, so that this one may settle the delivery itself. */
  readonly outermost: boolean;
  /** Registers something that ends with the bus; the returned function takes it back. */
  readonly attach: (part: Closeable) => () => void;
  /**
   * Stands for the handler and the bus, where the middleware is around one handler and not in the pipeline of the bus.
   */
  readonly scope?: object;
  /** The middleware is around each handler of a bus, and this is one of them. */
  readonly everyHandler?: boolean;
  /**
   * The middleware is built anew for each message, because it is inside an operator, such as `pipe`, that the bus
   * cannot look into.
   */
  readonly perMessage?: boolean;
}

/**
 * Returns the state of a middleware for the place that it is built into. One per place; where the middleware is
 * built anew for each message, one per bus or handler, because state per message would share nothing.
 */
export function stateIn<S>(make: (place: BuildContext) => S): (place: BuildContext) => S {
  const states = new WeakMap<object, S>();
  return (place) => {
    const { host, perMessage, scope = host } = place;
    if (!perMessage) return make(place);
    let state = states.get(scope);
    if (state === undefined)
      states.set(scope, (state = make({ ...place, attach: (part) => host.attach(part) })));
    return state;
  };
}

/** Makes the step of a middleware, for middleware that the bus need not subscribe to for each message. */
export type StepFactory = (rest: Step, place: BuildContext) => Step;

const STEP_FACTORY = Symbol("step factory");

export function stepFactoryOf(middleware: object): StepFactory | undefined {
  return (middleware as { readonly [STEP_FACTORY]?: StepFactory })[STEP_FACTORY];
}

/**
 * Returns the name of a middleware in errors and in `describe()`. The names of middleware of this library are literal.
 */
export function middlewareName(middleware: Middleware): string {
  const { name } = middleware;
  return (stepFactoryOf(middleware) === undefined ? functionName(middleware) : name) || "(operator)";
}

/**
 * Returns the gauges of a middleware that an application wrote: those that its method `gauges()` returns.
 *
 * @example
 * Object.assign(around(breaker), { gauges: () => ({ open: circuit.isOpen ? 1 : 0 }) });
 */
export function gaugesOf(middleware: Middleware): readonly GaugesDescription[] {
  const described = middleware as { gauges?(): GaugesDescription["values"] };
  if (typeof described.gauges !== "function") return [];
  return [{ middleware: middlewareName(middleware), values: { ...described.gauges() } }];
}

/** Marks an operator with its step factory. A bus runs the factory; everywhere else the operator works as it is. */
export function withStepFactory<M, R>(
  operator: Middleware<M, R>,
  name: string,
  factory: StepFactory,
): Middleware<M, R> {
  return Object.defineProperties(operator, {
    name: { value: name },
    [STEP_FACTORY]: { value: factory },
    [MADE_BY]: { value: COPY },
  });
}

/**
 * Makes a middleware from a step factory, with an operator for use inside `pipe` and in marble tests.
 *
 * @param options - `passThrough`: the step runs deliveries with the rest and ignores what the rest returns, so
 * that the operator needs neither forks nor promises, and works in virtual time
 */
export function createMiddleware<M, R>(
  name: string,
  factory: StepFactory,
  { passThrough = false } = {},
): Middleware<M, R> {
  return withStepFactory(asOperator(name, factory, passThrough), name, factory) as unknown as Middleware<
    M,
    R
  >;
}

function asOperator(name: string, factory: StepFactory, passThrough: boolean): Middleware {
  return (source) =>
    new Observable((subscriber) => {
      let running = 1;
      const ended = (): void => {
        if (--running === 0) subscriber.complete();
      };
      const parts = new Set<Closeable>();
      subscriber.add(() => parts.forEach((part) => part.stop?.()));
      const attach = (part: Closeable): (() => void) => {
        parts.add(part);
        return () => parts.delete(part);
      };
      let step: Step | undefined;
      return source.subscribe({
        next(delivery) {
          if (!(delivery instanceof LiveDelivery)) return subscriber.error(notADelivery(name, delivery));
          running++;
          try {
            const { host } = delivery;
            step ??= factory(
              replying((out) => subscriber.next(out), passThrough),
              { host, outermost: passThrough, attach, perMessage: host.kind !== undefined },
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
 * Makes a step that pushes deliveries on and leaves the reply to them. Where a function above waits for the
 * result, a fork is pushed, because that function may catch the error and decides the outer reply.
 */
export function replying(push: (delivery: LiveDelivery) => void, outermost: boolean): Step {
  if (outermost) {
    return (delivery) => {
      push(delivery);
      return LATER;
    };
  }
  return (delivery) => {
    const fork = delivery.forked();
    push(fork);
    return fork.asResult();
  };
}
