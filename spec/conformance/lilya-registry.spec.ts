import { describe, expect, it } from "@jest/globals";
import { CommandBus, HandlerAlreadyRegisteredError, HandlerNotFoundError, HandlerRegistry } from "cqrx";

class A {
  readonly letter = "a";
}
class B {
  readonly letter = "b";
}

describe("the handler registry", () => {
  it("L24 a registered handler is found by its type, as the same function, and no other type is", () => {
    const registry = new HandlerRegistry();
    const handler = (): void => {};
    registry.register(A, handler);

    expect(registry.get(A)).toBe(handler);
    expect(registry.has(A)).toBe(true);
    expect(registry.has(B)).toBe(false);
  });

  it("L25 a second handler for a type throws, and the first one stays", () => {
    const registry = new HandlerRegistry();
    const first = (): void => {};
    registry.register(A, first);

    expect(() => registry.register(A, () => {})).toThrow(HandlerAlreadyRegisteredError);
    expect(registry.get(A)).toBe(first);
  });

  it("L25 a bus refuses a second handler in the register call itself, and goes on calling the first", async () => {
    const called: string[] = [];
    const bus = new CommandBus();
    bus.register(A, () => void called.push("first"));

    expect(() => bus.register(A, () => void called.push("second"))).toThrow(
      expect.objectContaining({ code: "HANDLER_ALREADY_REGISTERED", messageType: "A" }),
    );
    await bus.dispatch(new A());
    expect(called).toEqual(["first"]);
  });

  it("L26 an empty registry throws HandlerNotFoundError from get", () => {
    expect(() => new HandlerRegistry().get(A)).toThrow(HandlerNotFoundError);
  });

  it("L27 a cleared registry has nothing, and can be registered in again", () => {
    const registry = new HandlerRegistry();
    registry.register(A, () => {});
    registry.clear();

    expect(registry.has(A)).toBe(false);
    expect(() => registry.get(A)).toThrow(HandlerNotFoundError);
    expect(registry.size).toBe(0);
    registry.register(A, () => {});
    expect(registry.has(A)).toBe(true);
  });
});
