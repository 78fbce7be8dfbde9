import { describe, expect, it } from "@jest/globals";
import { CommandBus, HandlerRegistry, type HandlerNotFoundError } from "cqrx";

/** A bus with many types, and how often names were read for one message without a handler. */
async function namesRead(
  types: number,
): Promise<{ readonly reads: number; readonly error: HandlerNotFoundError }> {
  let reads = 0;
  const bus = new CommandBus();
  for (let n = 0; n < types; n++) {
    bus.register(
      class {
        static get messageName(): string {
          reads++;
          return n === 4 ? "CreateUser" : `HandleOrder${n}`;
        }
      },
      () => undefined,
    );
  }
  reads = 0;
  class CreateUsers {}
  const error = (await bus
    .dispatch(new CreateUsers())
    .catch((reason: unknown) => reason)) as HandlerNotFoundError;
  return { reads, error };
}

describe("a message without a handler", () => {
  it("costs little more with 10,000 types than with 100", async () => {
    const [few, many] = [await namesRead(100), await namesRead(10_000)];
    expect(many.reads).toBeLessThanOrEqual(3 * few.reads);
    expect(many.error.code).toBe("HANDLER_NOT_FOUND");
    expect(many.error.message).toMatch(/Nearest registered: CreateUser,/);
  });

  it("finds a similar name among many, also if it was registered last", async () => {
    const bus = new CommandBus();
    for (let n = 0; n < 200; n++) bus.register({ [`Book${n}`]: class {} }[`Book${n}`]!, () => undefined);
    class DeleteUser {}
    class DeleteUzer {}
    bus.register(DeleteUser, () => undefined);
    await expect(bus.dispatch(new DeleteUzer())).rejects.toThrow("Nearest registered: DeleteUser,");
  });

  it("names only types that are still registered", async () => {
    class Gone {}
    class Gones {}
    const registry = new HandlerRegistry();
    const bus = new CommandBus({ registry });
    bus.register(Gone, () => undefined).unsubscribe();
    await expect(bus.dispatch(new Gones())).rejects.toThrow("Nothing is registered yet.");
    bus.register(Gone, () => undefined);
    registry.clear();
    await expect(bus.dispatch(new Gones())).rejects.toThrow("Nothing is registered yet.");
  });
});
