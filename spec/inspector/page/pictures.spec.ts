import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Page } from "playwright-core";
import type { Recording } from "../../../src/inspector/protocol.js";
import { useBrowser } from "./browser.js";
import { busy, flooded, idle } from "./recordings.js";

// PICTURES=folder npx jest --selectProjects slow --testPathPatterns pictures: writes the pictures to look at.
const folder = process.env["PICTURES"];
const browser = useBrowser();

/** Share of the pixels that may differ between two pictures of one view. */
const TOLERANCE = 0.02;

/** Selects the whole conversation of an order and zooms to it. */
async function selectOrder(page: Page): Promise<void> {
  await page.getByTestId("filter").fill("SendMail o-4832");
  await page.getByTestId("messages").getByRole("button", { name: "SendMail" }).first().click();
  await page.getByTestId("filter").fill("");
  await page.getByTestId("zoom").click();
  await page.getByTestId("tree").getByRole("button").first().click();
}

const views: readonly (readonly [string, Recording, ((page: Page) => Promise<void>)?])[] = [
  ["idle", idle],
  ["busy", busy],
  ["selected", busy, selectOrder],
  ["flooded", flooded],
];

/** Returns the share of pixels in which two pictures differ visibly. */
function difference(page: Page, ...pictures: readonly Buffer[]): Promise<number> {
  return page.evaluate(
    async (texts) => {
      const [one, two] = await Promise.all(
        texts.map(async (text) => {
          const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
          const g = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d")!;
          g.drawImage(bitmap, 0, 0);
          return g.getImageData(0, 0, bitmap.width, bitmap.height).data;
        }),
      );
      let count = 0;
      for (let at = 0; at < one!.length; at += 4) {
        const apart = [0, 1, 2].some((channel) => Math.abs(one![at + channel]! - two![at + channel]!) > 8);
        if (apart) count++;
      }
      return one!.length === two!.length ? count / (one!.length / 4) : 1;
    },
    pictures.map((picture) => picture.toString("base64")),
  );
}

describe.each([
  ["wide", 1440, 900],
  ["phone", 390, 844],
] as const)("pictures, %s", (size, width, height) => {
  describe.each(["dark", "light"] as const)("%s", (colorScheme) => {
    it("are the same each time, and differ between the views", async () => {
      const taken: Buffer[] = [];
      for (const [name, recording, act] of views) {
        const take = async (): Promise<[Buffer, Page]> => {
          const { page } = await browser.openRecording(recording, {
            colorScheme,
            viewport: { width, height },
          });
          await act?.(page);
          await page.evaluate(
            () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
          );
          return [await page.screenshot({ caret: "hide" }), page];
        };
        const [[first, page], [second]] = [await take(), await take()];
        expect([name, (await difference(page, first, second)) <= TOLERANCE]).toEqual([name, true]);
        if (folder) {
          mkdirSync(folder, { recursive: true });
          writeFileSync(join(folder, `inspector-${name}-${size}-${colorScheme}.png`), first);
        }
        const before = taken.at(-1);
        if (before) expect(await difference(page, before, first)).toBeGreaterThan(TOLERANCE);
        taken.push(first);
      }
    });
  });
});
