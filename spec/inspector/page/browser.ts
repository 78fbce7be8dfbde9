import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { recordedPage } from "../../../src/inspector/document.js";
import type { Recording } from "../../../src/inspector/protocol.js";

const executablePath = ["CHROMIUM" in process.env ? process.env["CHROMIUM"]! : "", "/usr/bin/chromium"].find(
  existsSync,
);

export interface Tab {
  readonly page: Page;
  /** Messages of the console of level warning or error, and errors that no code caught. */
  readonly problems: string[];
  /** URLs that the page asked for. */
  readonly requests: string[];
}

/** Starts Chromium for the specs of a file. After each of them, no page may have told a problem. */
export function useBrowser(): {
  /** @param button name of a button to wait for, where the page is not the inspector's own */
  open(url: string, options?: BrowserContextOptions, button?: string): Promise<Tab>;
  openRecording(recording: Recording, options?: BrowserContextOptions): Promise<Tab>;
  openHTML(html: string, options?: BrowserContextOptions): Promise<Tab>;
} {
  let browser: Browser;
  let tabs: Tab[] = [];
  const folder = mkdtempSync(join(tmpdir(), "cqrx-page-"));
  let files = 0;

  beforeAll(async () => {
    if (!executablePath) {
      throw new Error(
        "These specs need Chromium: `apt-get install chromium`, or its path in the environment variable CHROMIUM.",
      );
    }
    browser = await chromium.launch({
      executablePath,
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
  });
  afterEach(async () => {
    const problems = tabs.flatMap((tab) => tab.problems);
    for (const { page } of tabs) await page.context().close();
    tabs = [];
    expect(problems).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  const open = async (url: string, options: BrowserContextOptions = {}, button?: string): Promise<Tab> => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      timezoneId: "UTC",
      colorScheme: "dark",
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const tab: Tab = { page, problems: [], requests: [] };
    page.on("console", (message) => {
      if (["warning", "error"].includes(message.type())) tab.problems.push(message.text());
    });
    page.on("pageerror", (error) => tab.problems.push(String(error)));
    page.on("request", (request) => tab.requests.push(request.url()));
    tabs.push(tab);
    await page.goto(url);
    await (button ? page.getByRole("button", { name: button }) : page.getByTestId("status")).waitFor();
    return tab;
  };
  const openHTML = (html: string, options?: BrowserContextOptions): Promise<Tab> => {
    const file = join(folder, `${++files}.html`);
    writeFileSync(file, html);
    return open(pathToFileURL(file).href, options);
  };
  return {
    open,
    openHTML,
    openRecording: (recording, options) => openHTML(recordedPage(recording), options),
  };
}

/** Waits until an element has a text. */
export async function hasText(page: Page, testId: string, text: string | RegExp): Promise<void> {
  await page.getByTestId(testId).filter({ hasText: text }).first().waitFor();
}

/** Returns how many pixels of the marble diagram have about this colour. */
export function pixels(page: Page, [red, green, blue]: readonly [number, number, number]): Promise<number> {
  return page.evaluate(
    ([r, g, b]) => {
      const canvas = document
        .getElementById("cqrx-inspector")!
        .shadowRoot!.querySelector<HTMLCanvasElement>("canvas.marbles")!;
      // A copy, because Chromium warns of a canvas that is read often.
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const context = copy.getContext("2d", { willReadFrequently: true })!;
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const distance =
          Math.abs(data[at]! - r!) + Math.abs(data[at + 1]! - g!) + Math.abs(data[at + 2]! - b!);
        if (distance < 12) count++;
      }
      return count;
    },
    [red, green, blue],
  );
}
