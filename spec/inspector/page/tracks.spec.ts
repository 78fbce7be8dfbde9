import { describe, expect, it } from "@jest/globals";
import { Lane } from "../../../src/inspector/page/model/lane.js";
import { Thinning } from "../../../src/inspector/page/model/thinning.js";
import { Tracks } from "../../../src/inspector/page/model/tracks.js";
import { entry, open, START } from "./make.js";

describe("tracks", () => {
  it("take the first that is free", () => {
    const tracks = new Tracks(3, 1);
    expect([tracks.place(0, 10), tracks.place(5, 6), tracks.place(6, 7), tracks.place(20, 20)]).toEqual([
      0, 1, 2, 0,
    ]);
  });

  it("take the one that is free soonest if all are taken", () => {
    const tracks = new Tracks(2, 1);
    tracks.place(0, 100);
    tracks.place(0, 50);
    expect(tracks.place(1, 2)).toBe(1);
  });

  it("keep one for an open message until it settles", () => {
    const tracks = new Tracks(2, 1);
    expect(tracks.place(0, Infinity)).toBe(0);
    expect(tracks.place(1000, 1000)).toBe(1);
    tracks.settle(0, 1500);
    expect(tracks.place(2000, 2000)).toBe(0);
  });
});

describe("thinning", () => {
  it("admits one marble a slot and track", () => {
    const thinning = new Thinning(10);
    const admitted = [0, 4, 9, 10, 19, 20].filter((time) => thinning.admits(0, time));
    expect(admitted).toEqual([0, 10, 20]);
    expect(thinning.admits(1, 20)).toBe(true);
  });

  it("admits the same marbles wherever the shown time begins", () => {
    const times = Array.from({ length: 500 }, (_, index) => index * 3.7);
    const admittedSince = (from: number): number[] => {
      const thinning = new Thinning(25);
      return times.filter((time) => time >= from && thinning.admits(0, time));
    };
    // the first slot is cut by the edge
    expect(admittedSince(300).slice(1)).toEqual(admittedSince(0).filter((time) => time >= 325));
  });
});

describe("a lane", () => {
  const lane = (): Lane => new Lane("command", "PlaceOrder", "commands");

  it("keeps its entries in the order of their times", () => {
    const some = lane();
    for (const [order, at] of [[1, 10] as const, [2, 30] as const, [3, 20] as const])
      some.add(entry(order, at));
    expect(some.entries.map(({ message }) => message.order)).toEqual([1, 3, 2]);
  });

  it("finds entries that reach into the shown time", () => {
    const some = lane();
    some.add(entry(1, 0, { durationMs: 2000 }));
    some.add(entry(2, 1500));
    some.add(entry(3, 5000));
    expect(some.firstSince(START + 1900)).toBe(0);
    expect(some.firstSince(START + 4000)).toBe(2);
  });

  it("does not move a marble while time goes on", () => {
    const some = lane();
    some.arrange(100);
    const entries = Array.from({ length: 40 }, (_, index) => entry(index + 1, index * 37));
    for (const each of entries.slice(0, 20)) some.add(each);
    const before = entries.slice(0, 20).map(({ track }) => track);
    some.drop((order) => order <= 5);
    for (const each of entries.slice(20)) some.add(each);
    some.arrange(100);
    expect(entries.slice(0, 20).map(({ track }) => track)).toEqual(before);
    expect(new Set(before)).toEqual(new Set([0, 1, 2]));
  });

  it("knows what is open", () => {
    const some = lane();
    const [first, second] = [entry(1, 0, open), entry(2, 1, open)];
    some.add(first);
    some.add(second);
    first.end = START + 3;
    some.settle(first);
    expect([...some.open]).toEqual([second]);
    some.drop((order) => order === 1);
    expect(some.entries).toEqual([second]);
  });
});
