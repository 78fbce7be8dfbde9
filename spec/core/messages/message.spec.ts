import { describe, expect, it } from "@jest/globals";
import { Command, DomainEvent, kindOf, Query } from "cqrx";
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

describe("kindOf()", () => {
  abstract class Base extends DomainEvent {}

  it.each([
    ["command", class extends Command {}],
    ["query", class extends Query<number> {}],
    ["event", class extends DomainEvent {}],
    ["event", class extends Base {}],
    ["event", Base],
    [undefined, class {}],
    [undefined, () => undefined],
    [undefined, null],
    [undefined, undefined],
    [undefined, "CreateUser"],
    [undefined, new (class extends Command {})()],
  ])("is %p for %p", (kind, type) => expect(kindOf(type as never)).toBe(kind));
});
