import { expect, it } from "@jest/globals";
import { Broadcast } from "../../../src/core/util/broadcast.js";

it("knows whether a subscriber is left, so that faults without one go to the console", () => {
  const broadcast = new Broadcast<number>(() => undefined);
  expect(broadcast.observed).toBe(false);
  const subscriptions = [broadcast.stream.subscribe(), broadcast.stream.subscribe()];
  expect(broadcast.observed).toBe(true);
  subscriptions[0]!.unsubscribe();
  expect(broadcast.observed).toBe(true);
  subscriptions[1]!.unsubscribe();
  expect(broadcast.observed).toBe(false);
});

it("delivers to the subscribers that are there, in their order, also after some have left", () => {
  const broadcast = new Broadcast<number>(() => undefined);
  const seen: string[] = [];
  const [a] = ["a", "b", "c"].map((name) => broadcast.stream.subscribe((n) => seen.push(`${name}${n}`)));
  broadcast.next(1);
  a!.unsubscribe();
  broadcast.next(2);
  expect(seen).toEqual(["a1", "b1", "c1", "b2", "c2"]);
});
