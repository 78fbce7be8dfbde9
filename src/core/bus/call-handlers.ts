import { consumed, isStream, resultOfHandler } from "../delivery/consume-stream.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { asError, EventHandlersFailedError } from "../errors.js";
import type { Registration } from "../handlers/handler.js";
import { isThenable } from "../util/thenable.js";
import { notifyHandled } from "./after-handlers.js";

/** Calls the one handler of a command or query. */
export function callOne(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  return resultOfHandler(
    handlers[0]!.call(delivery.message as never, delivery as LiveDelivery<never>),
    delivery,
  );
}

/** Starts all handlers of an event without waiting between them. */
export function callAll(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  let running = 0;
  let settle: ((failure?: Promise<never>) => void) | undefined;
  const ended = (): void => {
    if (--running > 0) return;
    if (errors.length === 0) settle!();
    else settle!(Promise.reject(failureOf(errors, handlers, delivery)));
  };
  for (let place = 0; place < handlers.length; place++) {
    try {
      const result = resultOfHandler(
        handlers[place]!.call(delivery.message as never, delivery as LiveDelivery<never>),
        delivery,
      );
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
  if (errors.length > 0) throw failureOf(errors, handlers, delivery);
  return undefined;
}

/** Starts each handler of an event once the one before it has ended. */
export function callInTurn(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  const callFrom = (start: number): unknown => {
    for (let place = start; place < handlers.length; place++) {
      // Stop here, because the caller of an aborted event no longer waits for the other handlers.
      if (!delivery.pending) return undefined;
      try {
        const result = resultOfHandler(
          handlers[place]!.call(delivery.message as never, delivery as LiveDelivery<never>),
          delivery,
        );
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
    if (errors.length > 0) throw failureOf(errors, handlers, delivery);
    return undefined;
  };
  return callFrom(0);
}

/**
 * Makes one error for all handlers that failed. Its `errors` are in order of registration, because the order in
 * which handlers end differs from run to run.
 */
function failureOf(
  byPlace: readonly unknown[],
  handlers: readonly Registration[],
  delivery: LiveDelivery,
): EventHandlersFailedError {
  const errors = Object.values(byPlace).map((error) => asError(error, delivery));
  return new EventHandlersFailedError(delivery.typeName, errors, handlers.length);
}
