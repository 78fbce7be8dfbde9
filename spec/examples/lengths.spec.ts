import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";

const read = (path: string): string => readFileSync(join(__dirname, "../..", path), "utf8");

/** The number of lines from the one that begins with `start` to the one that is `end`. */
function linesFrom(text: string, start: string, end: string): number {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.startsWith(start));
  const last = lines.indexOf(end, first);
  if (first < 0 || last < 0) throw new Error(`There is no ${start} … ${end}.`);
  return last - first + 1;
}

describe("short things stay short", () => {
  const guide = read("src/http/README.md");

  it("a message with three checked fields is one line, its handler one, its route three", () => {
    const message =
      /^class CreateUser extends defineCommand\(.*z\.object\(\{ id: .*, name: .*, email: .* \}\)\) \{\}$/m;
    expect(guide).toMatch(message);
    expect(guide).toMatch(/^commandBus\.register\(CreateUser, .*\);$/m);
    expect(linesFrom(guide, "app.post(", ");")).toBe(3);
  });

  it("a live list in React has its loading and error states in ten lines", () => {
    const shelf = read("examples/react/src/shelf.tsx");
    expect(shelf).toMatch(/status === "pending"[^]*status === "error"[^]*<ul/);
    expect(linesFrom(shelf, "export function Shelf(", "}")).toBeLessThanOrEqual(10);
  });
});
