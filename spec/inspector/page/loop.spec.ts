import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { Loop } from "../../../src/inspector/page/loop.js";

type Frame = (now: number) => void;
let frames: Frame[] = [];
let real: Pick<typeof globalThis, "requestAnimationFrame" | "cancelAnimationFrame">;

beforeEach(() => {
  frames = [];
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis;
  real = { requestAnimationFrame, cancelAnimationFrame };
  globalThis.requestAnimationFrame = (frame) => frames.push(frame);
  globalThis.cancelAnimationFrame = () => void (frames = []);
});
afterEach(() => void Object.assign(globalThis, real));

function run(now: number): boolean {
  const frame = frames.shift();
  frame?.(now);
  return frame !== undefined;
}

function loopOf(pixelMs: number | undefined): { loop: Loop; done: string[] } {
  const done: string[] = [];
  const loop = new Loop({
    refresh: () => void done.push("refresh"),
    draw: () => void done.push("draw"),
    pixelMs: () => pixelMs,
    refreshMs: () => 200,
  });
  return { loop, done };
}

describe("the loop of the view", () => {
  it("does nothing until something changes, and stops after it was shown while time stands still", () => {
    const { loop, done } = loopOf(undefined);
    expect(run(0)).toBe(false);
    loop.invalidate(true);
    expect(run(0)).toBe(true);
    expect([done, run(16)]).toEqual([["refresh", "draw"], false]);
  });

  it("refreshes for frames a few times a second, and for the user at once", () => {
    const { loop, done } = loopOf(undefined);
    loop.invalidate(true);
    run(1000);
    loop.invalidate(false);
    for (let now = 1016; now < 1200; now += 16) run(now);
    expect(done).toHaveLength(2);
    loop.invalidate(true);
    run(1190);
    expect(done).toHaveLength(4);
    loop.invalidate(false);
    run(1300);
    expect(done).toHaveLength(4);
    run(1390);
    expect(done).toHaveLength(6);
  });

  it("draws while live, once for each pixel that the diagram moves", () => {
    const { loop, done } = loopOf(50);
    loop.invalidate(true);
    for (let now = 0; now < 200; now += 10) run(now);
    expect(done).toEqual(["refresh", "draw", "draw", "draw", "draw"]);
  });

  it("asks for no further animation frame after it was destroyed", () => {
    const { loop } = loopOf(50);
    loop.invalidate(true);
    loop.destroy();
    loop.invalidate(true);
    expect(run(0)).toBe(false);
  });
});
