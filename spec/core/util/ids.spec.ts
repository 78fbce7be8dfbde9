import { describe, expect, it } from "@jest/globals";
import { uniqueId } from "../../../src/core/util/ids.js";

describe("uniqueId", () => {
  it("never repeats an id, and shares the bits of the process", () => {
    const ids = Array.from({ length: 1_000 }, uniqueId);
    expect(new Set(ids).size).toBe(1_000);
    expect(new Set(ids.map((id) => id.slice(0, 36))).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-[0-9a-z]+$/);
  });
});
