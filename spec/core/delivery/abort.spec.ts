import { getEventListeners } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { abortOn } from "../../../src/core/delivery/abort.js";

describe("a signal that several messages share", () => {
  function target() {
    const reasons: unknown[] = [];
    return { reasons, cancel: (reason: unknown) => void reasons.push(reason) };
  }
  const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

  it("has one listener, and none after the last message has left", () => {
    const { signal } = new AbortController();
    const leave = [target(), target(), target()].map((one) => abortOn(signal, one));
    expect(listeners(signal)).toBe(1);
    leave[0]!();
    leave[2]!();
    expect(listeners(signal)).toBe(1);
    leave[1]!();
    expect(listeners(signal)).toBe(0);
  });

  it("aborts messages that come after the last one had left", () => {
    const controller = new AbortController();
    abortOn(controller.signal, target())();
    const later = target();
    abortOn(controller.signal, later);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("reason");
    expect(later.reasons).toEqual(["reason"]);
  });

  it("aborts the messages that are left, not those that have gone", () => {
    const controller = new AbortController();
    const [gone, left] = [target(), target()];
    const leave = abortOn(controller.signal, gone);
    abortOn(controller.signal, left);
    leave();
    controller.abort("reason");
    expect([gone.reasons, left.reasons]).toEqual([[], ["reason"]]);
  });

  it("is not disturbed by a message that leaves twice, after others have come", () => {
    const controller = new AbortController();
    const leave = abortOn(controller.signal, target());
    leave();
    const later = target();
    abortOn(controller.signal, later);
    leave();
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("reason");
    expect(later.reasons).toEqual(["reason"]);
  });

  it("that is aborted already aborts at once, and gets no listener", () => {
    const signal = AbortSignal.abort("reason");
    const late = target();
    abortOn(signal, late)();
    expect(late.reasons).toEqual(["reason"]);
    expect(listeners(signal)).toBe(0);
  });
});
