import { describe, expect, it } from "@jest/globals";
import { Lane } from "../../../src/inspector/page/model/lane.js";
import { GROUP_PX, layoutLanes } from "../../../src/inspector/page/model/layout.js";
import { figures } from "./make.js";

function lane(kind: Lane["kind"], name: string, accepted = 1, bus = kind): Lane {
  const made = new Lane(kind, name, bus);
  made.setFigures(figures({ kind, name, bus, accepted }));
  return made;
}

const names = (lanes: readonly Lane[]): string[] =>
  layoutLanes(lanes, 500).all.map(({ of }) => (typeof of === "string" ? `[${of}]` : of.name));

describe("the layout of lanes", () => {
  it("goes by kind, then name, unused ones last", () =>
    expect(
      names([
        lane("event", "Placed"),
        lane("query", "Get"),
        lane("command", "Ship"),
        lane("command", "Archive", 0),
        lane("command", "Place"),
      ]),
    ).toEqual(["[command]", "Place", "Ship", "[query]", "Get", "[event]", "Placed", "[unused]", "Archive"]));

  it("keeps types of one name on two buses apart, in the order of the buses", () => {
    const rows = layoutLanes(
      [lane("command", "A", 1, "b2" as never), lane("command", "A", 1, "b1" as never)],
      500,
    );
    expect(rows.lanes.map(({ of }) => of.bus)).toEqual(["b1", "b2"]);
  });

  it("is as high as the window allows, between 34 and 60 pixels a lane", () => {
    const some = (count: number): Lane[] => Array.from({ length: count }, (_, i) => lane("command", `T${i}`));
    expect(layoutLanes(some(10), 440 + GROUP_PX).lanes[0]!.height).toBe(44);
    expect(layoutLanes(some(2), 500).lanes[0]!.height).toBe(60);
    expect(layoutLanes(some(100), 500).lanes[0]!.height).toBe(34);
    expect(layoutLanes(some(100), 500).height).toBe(GROUP_PX + 3400);
  });

  it("has rows one below the other", () => {
    const { all, height } = layoutLanes([lane("command", "A"), lane("query", "B")], 300);
    let top = 0;
    for (const row of all) {
      expect(row.top).toBe(top);
      top += row.height;
    }
    expect(top).toBe(height);
  });

  it("is empty without lanes", () => expect(layoutLanes([], 500)).toEqual({ all: [], lanes: [], height: 0 }));
});
