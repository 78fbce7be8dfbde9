import { describe, expect, it } from "@jest/globals";
import { InvalidOptionsError, type Middleware } from "cqrx";
import { metering, tracing } from "cqrx/opentelemetry";

describe.each<[string, (options: never) => Middleware, string]>([
  ["tracing()", tracing, "tracer"],
  ["metering()", metering, "meter"],
])("%s", (source, make, option) => {
  it.each([
    [null, "options must be an object; received null."],
    [5, "options must be an object; received 5."],
    [{ [option]: {} }, `${option} must be a ${option} of OpenTelemetry; received an object.`],
    [{ [option]: null }, `${option} must be a ${option} of OpenTelemetry; received null.`],
    [{ [`${option}s`]: 1 }, `unknown option ${option}s; pass one of ${option}`],
  ])("refuses %p where it is made", (options, problem) => {
    expect(() => make(options as never)).toThrow(InvalidOptionsError);
    expect(() => make(options as never)).toThrow(`${source}: ${problem}`);
  });

  it("takes undefined for an option that is not given", () =>
    expect(() => make({ [option]: undefined } as never)).not.toThrow());
});

it("tracing() refuses exceptions that is not a boolean", () =>
  expect(() => tracing({ exceptions: "no" as never })).toThrow(
    'tracing(): exceptions must be true or false; received "no".',
  ));
