import { gzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import { pageScript } from "../../../src/inspector/page-script.js";

describe("the script of the page", () => {
  const { text } = pageScript();

  it("is at most 20 kB gzipped", () =>
    expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(20 * 1024));

  it("ends no script element early, parses no HTML and evaluates no text", () => {
    expect(text).not.toMatch(/<\/script/i);
    expect(text).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|DOMParser|document\.write|\beval\(|new Function/,
    );
  });
});
