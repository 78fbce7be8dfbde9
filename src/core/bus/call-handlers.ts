import { isAbortError } from "../delivery/abort.js";
import { consumed, isStream, resultOfHandler } from "../delivery/consume-stream.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { asError, EventHandlersFailedError } from "../errors.js";
import type { Registration } from "../handlers/handler.js";
import { isThenable } from "../util/thenable.js";
import { notifyHandled } from "./after-handlers.js";

/** Calls the one handler of a command or query. */
export function callOne(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  // Call the handler without call(), because a frame more for each dispatch would leave room for fewer nested ones.
  return resultOfHandler(
    handlers[0]!.call(delivery.message as never, delivery as LiveDelivery<never>),
    delivery,
  );
}

function call(handler: Registration, delivery: LiveDelivery): unknown {
  return resultOfHandler(handler.call(delivery.message as never, delivery as LiveDelivery<never>), delivery);
}

/** Starts all handlers of an event without waiting between them. */
export function callAll(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  let running = 0;
  let settle: ((failure?: Promise<never>) => void) | undefined;
  const ended = (): void => {
    if (--running > 0) return;
    settle!(errors.length === 0 ? undefined : Promise.reject(failureOf(errors, handlers, delivery)));
  };
  for (let place = 0; place < handlers.length; place++) {
    try {
      const result = call(handlers[place]!, delivery);
      if (!isThenable(result)) continue;
      running++;
      const failed = (error: unknown): void => {
        errors[place] = error;
        ended();
      };
      // Promise.resolve() instead of result.then(), because the then() of a Proxy of a promise throws.
      void Promise.resolve(result).then(
        (value) => (isStream(value) ? void consumed(value, delivery).then(ended, failed) : ended()),
        failed,
      );
    } catch (error) {
      errors[place] = error;
    }
  }
  notifyHandled(delivery);
  if (running > 0) return new Promise<void>((resolve) => (settle = resolve));
  return raise(errors, handlers, delivery);
}

/** Starts each handler of an event once the one before it has ended. */
export function callInTurn(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  const callFrom = (start: number): unknown => {
    for (let place = start; place < handlers.length; place++) {
      // Stop here, because the caller of an aborted event no longer waits for the other handlers.
      if (!delivery.pending) return raise(errors, handlers, delivery);
      try {
        const result = call(handlers[place]!, delivery);
        if (!isThenable(result)) continue;
        const goOn = (): unknown => callFrom(place + 1);
        const failed = (error: unknown): unknown => {
          errors[place] = error;
          return goOn();
        };
        return result.then(
          (value) => (isStream(value) ? consumed(value, delivery).then(goOn, failed) : goOn()),
          failed,
        );
      } catch (error) {
        errors[place] = error;
      }
    }
    notifyHandled(delivery);
    return raise(errors, handlers, delivery);
  };
  return callFrom(0);
}

function raise(errors: readonly unknown[], handlers: readonly Registration[], delivery: LiveDelivery): void {
  if (errors.length > 0) throw failureOf(errors, handlers, delivery);
}

/**
 * Returns one error for all handlers that failed. Its `errors` are in order of registration, because the order in
 * which handlers end differs from run to run. If the event was aborted and its handlers failed with the reason or with
 * errors of cancellation, returns the reason, because the caller has it.
 */
function failureOf(
  byPlace: readonly unknown[],
  handlers: readonly Registration[],
  delivery: LiveDelivery,
): Error {
  const errors = Object.values(byPlace);
  const { result } = delivery.holder;
  if (!delivery.pending && errors.every((error) => error === result || isAbortError(error)))
    return result as Error;
  const failures = errors.map((error) => asError(error, delivery));
  return new EventHandlersFailedError(delivery.typeName, failures, handlers.length);
}
