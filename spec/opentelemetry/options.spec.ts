import { describe, expect, it } from "@jest/globals";
import { InvalidMiddlewareError, type Middleware } from "cqrx";
import { metering, tracing } from "cqrx/opentelemetry";

describe.each<[string, (options: never) => Middleware, string]>([
  ["tracing", tracing, "tracer"],
  ["metering", metering, "meter"],
])("%s", (name, make, option) => {
  it.each([
    [null, `${name}(): takes an object of options; received null.`],
    [5, `${name}(): takes an object of options; received 5.`],
    [{ [option]: {} }, `${name}(): ${option} is a ${option} of OpenTelemetry; received an object.`],
    [{ [option]: null }, `${name}(): ${option} is a ${option} of OpenTelemetry; received null.`],
  ])("refuses %p where it is made", (options, problem) => {
    expect(() => make(options as never)).toThrow(new InvalidMiddlewareError(problem));
  });
});
