import type { OperatorFunction } from "rxjs";
import { checkOptions, positiveMilliseconds } from "../checks.js";
import type { Delivery } from "../delivery/delivery.js";
import { checkMiddleware } from "./check-middleware.js";
import { functionName } from "../util/function-name.js";
import { replying, withStepFactory } from "./form.js";
import type { Middleware } from "./middleware.js";
import { SupervisedOperator } from "./supervised-operator.js";

export interface SharedOptions {
  /**
   * How long a message may be held before it is rejected with `MessageHeldError`, in milliseconds; `Infinity` for
   * no limit.
   * @defaultValue 30_000
   */
  readonly holdTimeoutMs?: number;
}

/**
 * Makes a middleware of one operator instance across all messages, for operators that need to see the stream:
 * throttle, buffer, debounce.
 *
 * Guarantees: supervised. When the operator errors or completes, the messages that it held are rejected with
 * `MiddlewareCrashedError`, and the next message starts a new instance. A message that it neither forwards nor
 * settles within `holdTimeoutMs` is rejected with `MessageHeldError`.
 *
 * @throws InvalidOptionsError, InvalidMiddlewareError
 * @example
 * new CommandBus({ middleware: [shared(throttleTime(100), { holdTimeoutMs: 200 })] });
 */
export function shared<M extends object = object, R = unknown>(
  operator: OperatorFunction<Delivery<M, R>, Delivery<M, R>>,
  options: SharedOptions = {},
): Middleware<M, R> {
  checkMiddleware(operator, "the operator of shared()");
  checkOptions<SharedOptions>("shared()", options, { holdTimeoutMs: positiveMilliseconds });
  const { holdTimeoutMs = 30_000 } = options;
  const name = functionName(operator) || "shared";
  return withStepFactory(
    (source) => operator(source),
    name,
    (rest, { host, outermost, attach }) => {
      const supervised = new SupervisedOperator(operator, name, holdTimeoutMs, rest, host);
      attach(supervised);
      return replying((delivery) => supervised.push(delivery), outermost);
    },
  );
}
