import { expect, it } from "@jest/globals";
import { Envelope, InvalidMessageError } from "cqrx";
import { platformOf } from "../../../src/core/messages/hidden-state.js";

class Box {
  value: unknown;
}

it.each([{ a: 1 }, {}, { $a: 1, $b: 2 }, { $a: 1, b: 2 }])(
  "the tag $object refuses a body like %j",
  (body) => {
    expect(() => Envelope.fromJSON({ payload: { value: { $object: body } } }, Box)).toThrow(
      InvalidMessageError,
    );
  },
);

it("a prototype whose constructor is not a function hides nothing", () => {
  const prototype = Object.create({ inherited: true }, { constructor: { value: 5 } }) as object;
  expect(platformOf(prototype)).toBeNull();
});
