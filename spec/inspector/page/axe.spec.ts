import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import axe from "axe-core";
import type { Page } from "playwright-core";
import type { Recording } from "../../../src/inspector/protocol.js";
import { useBrowser } from "./browser.js";

const browser = useBrowser();
const recording = JSON.parse(readFileSync(join(__dirname, "../recording.json"), "utf8")) as Recording;

/** Returns the rules that the page violates, with the elements. */
async function violations(page: Page): Promise<unknown[]> {
  return page.evaluate(async () => {
    const { violations: found } = await (globalThis as never as { axe: typeof axe }).axe.run(document);
    return found.map(({ id, nodes }) => [
      id,
      nodes.map(({ target, failureSummary }) => [target, failureSummary]),
    ]);
  });
}

const views: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  messages: () => Promise.resolve(),
  "in flight": (page) => page.getByTestId("tab-in-flight").click(),
  "faults and refusals": async (page) => {
    await page.getByTestId("tab-troubles").click();
    await page.getByRole("tabpanel").locator("summary").first().click();
  },
  wiring: (page) => page.getByTestId("tab-wiring").click(),
  details: async (page) => {
    await page.getByTestId("tab-messages").click();
    await page.keyboard.press("e");
    await page.getByTestId("error").waitFor();
  },
  help: async (page) => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByTestId("help").waitFor();
  },
};

describe.each([
  ["dark", 1280],
  ["light", 1280],
  ["dark", 390],
  ["light", 390],
] as const)("axe-core, %s, at %d pixels", (colorScheme, width) => {
  it("finds no violation in any view", async () => {
    const viewport = { width, height: width === 390 ? 844 : 800 };
    const { page } = await browser.openRecording(recording, { colorScheme, viewport, bypassCSP: true });
    await page.addScriptTag({ content: axe.source });
    for (const [name, show] of Object.entries(views)) {
      await show(page);
      expect([name, await violations(page)]).toEqual([name, []]);
    }
  });
});

describe("axe-core", () => {
  it("finds a violation where there is one", async () => {
    const { page } = await browser.openRecording(recording, { bypassCSP: true });
    await page.addScriptTag({ content: axe.source });
    await page.evaluate(() => {
      const { shadowRoot } = document.getElementById("cqrx-inspector")!;
      shadowRoot!.querySelector("button[aria-label=Help]")!.removeAttribute("aria-label");
    });
    expect(await violations(page)).toMatchObject([
      ["button-name", [[[["#cqrx-inspector", expect.any(String)]], expect.any(String)]]],
    ]);
  });
});
