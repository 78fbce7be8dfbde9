import { InvalidMiddlewareError } from "../core/errors.js";

/** The options, checked where the middleware is made: its messages would only tell `faults$`. @throws InvalidMiddlewareError */
export function checkOptions(
  middleware: string,
  options: unknown,
  maker: string,
  ...methods: readonly string[]
): void {
  const refuse = (problem: string, received: unknown): never => {
    const shown = typeof received === "object" && received !== null ? "an object" : String(received);
    throw new InvalidMiddlewareError(`${middleware}(): ${problem}; received ${shown}.`);
  };
  if (typeof options !== "object" || options === null) refuse("takes an object of options", options);
  const made = (options as Partial<Record<string, Partial<Record<string, unknown>> | null>>)[maker];
  if (made !== undefined && !methods.every((method) => typeof made?.[method] === "function"))
    refuse(`${maker} is a ${maker} of OpenTelemetry`, made);
}
