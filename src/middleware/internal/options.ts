import { InvalidMiddlewareError } from "../../core/errors.js";
import type { DeliveryHost } from "../../core/delivery/delivery-host.js";

/** What is wrong with a middleware is known where it is made, and says so there. @throws InvalidMiddlewareError */
export function refuseOption(middleware: string, problem: string, received: unknown): never {
  throw new InvalidMiddlewareError(`${middleware}(): ${problem}; received ${shown(received)}.`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** @throws InvalidMiddlewareError */
export function checkOptions(middleware: string, options: unknown): void {
  if (typeof options !== "object" || options === null)
    refuseOption(middleware, "takes an object of options", options);
}

/** Answering without the handler is fine for a query only. @throws InvalidMiddlewareError */
export function checkForQueries(middleware: string, { kind = "query", name }: DeliveryHost): void {
  if (kind !== "query")
    throw new InvalidMiddlewareError(
      `${middleware}() is for queries: on ${name}, it would keep messages from their handlers.`,
    );
}

/** The options of what waits. @throws InvalidMiddlewareError */
export function checkTimerOptions(middleware: string, options: unknown): void {
  checkOptions(middleware, options);
  const { scheduler } = options as { readonly scheduler?: { readonly schedule?: unknown } | null };
  if (scheduler !== undefined && typeof scheduler?.schedule !== "function")
    refuseOption(middleware, "scheduler is a scheduler of RxJS", scheduler);
}

/** @throws InvalidMiddlewareError */
export function checkMs(
  middleware: string,
  option: string,
  ms: number,
  { orZero = false }: { readonly orZero?: boolean } = {},
): number {
  if (typeof ms !== "number" || !(ms > 0 || (orZero && ms === 0)))
    refuseOption(
      middleware,
      `${option} is a number of milliseconds${orZero ? ", 0 or more" : " above 0"}`,
      ms,
    );
  return ms;
}
