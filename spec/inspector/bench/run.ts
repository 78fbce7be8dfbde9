// Measures the inspector: memory, a flood, and a load behind a page (with Chromium). What a message costs is counted by
// npm run bench:instructions -- --only inspector
//   npm run bench:inspector                  all of it: several minutes
//   npm run bench:inspector -- memory flood  some parts: memory, flood, load
// Reports, and asserts nothing.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { chromium, type Browser } from "playwright-core";

const folder = mkdtempSync(join(tmpdir(), "cqrx-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const child = join(folder, "child.mjs");
buildSync({
  entryPoints: [fileURLToPath(new URL("child.ts", import.meta.url))],
  outfile: child,
  bundle: true,
  platform: "node",
  format: "esm",
});

interface Measured {
  readonly [name: string]: unknown;
}

/** Runs one measurement. `link` receives the link that a server prints first. */
async function measure(args: readonly string[], link?: (url: string) => Promise<void>): Promise<Measured> {
  const running = spawn(process.execPath, ["--expose-gc", child, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  running.stdout.setEncoding("utf8").on("data", (data: string) => (text += data));
  const closed = new Promise((resolve) => running.once("close", resolve));
  if (link !== undefined) {
    while (!text.includes("\n")) await wait(20);
    await link((JSON.parse(text.split("\n")[0]!) as { url: string }).url);
  }
  await closed;
  return JSON.parse(text.trim().split("\n").at(-1)!) as Measured;
}

async function memory(): Promise<void> {
  for (const name of ["large", "small", "stalled"])
    console.log(`memory, ${name}: ${JSON.stringify(await measure([name]))}`);
}

async function flood(): Promise<void> {
  console.log(`flood: ${JSON.stringify(await measure(["flood"]))}`);
}

/** Reads the feed like a page, and returns how many bytes came. */
async function readFeed(url: string, signal: AbortSignal): Promise<number> {
  const [page, token] = url.split("#");
  let bytes = 0;
  try {
    const { body } = await fetch(`${page}feed`, { headers: { authorization: `Bearer ${token}` }, signal });
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.byteLength;
  } catch {
    // The reader has left, or the process has ended.
  }
  return bytes;
}

async function clicks(browser: Browser, url: string): Promise<number[]> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(url);
  await wait(3_000);
  const times: number[] = [];
  for (let n = 0; n < 6; n++) {
    const tab = page.getByRole("tab").nth(n % 2 === 0 ? 1 : 0);
    const start = performance.now();
    await tab.click();
    await page.waitForFunction(
      (index) => {
        const tabs = document.querySelector("#cqrx-inspector")?.shadowRoot?.querySelectorAll("[role=tab]");
        return tabs?.[index]?.getAttribute("aria-selected") === "true";
      },
      n % 2 === 0 ? 1 : 0,
      { polling: 5 },
    );
    times.push(Math.round(performance.now() - start));
    await wait(500);
  }
  await page.close();
  return times;
}

async function load(): Promise<void> {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));
  for (let run = 0; run < 3; run++) {
    const controller = new AbortController();
    let reading: Promise<number> = Promise.resolve(0);
    let times: number[] = [];
    const measured = await measure(["load"], async (url) => {
      reading = readFeed(url, controller.signal);
      if (executablePath === undefined) return;
      const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      times = await clicks(browser, url);
      await browser.close();
    });
    controller.abort();
    const kilobytes = Math.round((await reading) / 1_000 / 10);
    console.log(`load: feed ${kilobytes} kB/s, clicks ${times.join(" ")} ms, ${JSON.stringify(measured)}`);
  }
}

const parts: { readonly [name: string]: () => void | Promise<void> } = { memory, flood, load };
const wanted = process.argv.slice(2).filter((name) => name in parts);
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) await parts[name]!();
