import { describe, expect, it } from "@jest/globals";
import { hasWrittenName, nameOf } from "../../../src/core/messages/message.js";

describe("the name of a message type", () => {
  class Named {
    static readonly messageName = "users.create";
  }
  class Below extends Named {}
  class Plain {}

  it("is written only if the class itself has a messageName", () =>
    expect([Named, Below, Plain].map(hasWrittenName)).toEqual([true, false, false]));

  it("is not inherited", () =>
    expect([Named, Below, Plain].map(nameOf)).toEqual(["users.create", "Below", "Plain"]));
});
