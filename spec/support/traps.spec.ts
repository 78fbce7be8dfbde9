import { runInThisContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { CommandBus } from "cqrx";
import { escapedFrom, isOurs, restoreListeners, withTraps } from "./traps.js";

const real = runInThisContext("process") as NodeJS.Process;
const events = ["unhandledRejection", "uncaughtException", "warning"] as const;
const listeners = (): unknown[] => events.map((event) => real.rawListeners(event as "warning"));

describe("traps", () => {
  it("give the listeners of the process back after a case that never ends", () => {
    const before = listeners();
    void escapedFrom(() => new Promise(() => undefined));
    void escapedFrom(() => new Promise(() => undefined));
    expect(listeners()).not.toEqual(before);
    restoreListeners();
    expect(listeners()).toEqual(before);
  });

  it("do not multiply listeners when a case ends after they were given back", async () => {
    const before = listeners();
    let end: () => void = () => undefined;
    const trapped = escapedFrom(() => new Promise<void>((resolve) => (end = resolve)));
    restoreListeners();
    end();
    await trapped;
    expect(listeners()).toEqual(before);
  });

  it("fail a case for an unhandled rejection, and not for a warning of others", async () => {
    await expect(withTraps(() => void Promise.reject(new Error("lost")))).rejects.toThrow(
      "unhandledRejections",
    );
    await withTraps(() => real.emitWarning("from another package"));
  });

  it("know a warning of this library by its stack", () => {
    class Warn {}
    const bus = new CommandBus();
    const warnings: Error[] = [];
    bus.register(Warn, () => void warnings.push(new Error("from a handler")));
    void bus.dispatch(new Warn());
    expect(warnings.map(isOurs)).toEqual([true]);
    expect(isOurs(new Error("from here"))).toBe(false);
  });
});
