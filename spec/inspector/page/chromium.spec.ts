import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "@jest/globals";
import { buildSync } from "esbuild";
import type { Page } from "playwright-core";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import { type Inspected, inspect, type Inspector, type InspectOptions } from "cqrx/inspector";
import type { Recording } from "../../../src/inspector/protocol.js";
import { GetOrder, OrderPlaced, PlaceOrder, shop, until } from "../support.js";
import { hasText, pixels, useBrowser } from "./browser.js";

const browser = useBrowser();
const root = join(__dirname, "../../..");
const recording = JSON.parse(readFileSync(join(__dirname, "../recording.json"), "utf8")) as Recording;

const OPEN = [255, 187, 85] as const;
const REJECTED = [255, 102, 119] as const;
const COMMAND = [119, 153, 255] as const;

let inspectors: Inspector[] = [];
async function served(
  buses: Inspected,
  options?: InspectOptions,
): Promise<{ inspector: Inspector; url: string }> {
  const inspector = inspect(buses, options);
  inspectors.push(inspector);
  return { inspector, url: (await inspector.listen()).url! };
}
afterEach(async () => {
  await Promise.all(inspectors.map((inspector) => inspector.close()));
  inspectors = [];
});

const rows = (page: Page): ReturnType<Page["locator"]> => page.getByTestId("messages").locator("tbody tr");
const states = (page: Page): Promise<(string | null)[]> =>
  rows(page).evaluateAll((all) => all.map((row) => row.getAttribute("data-state")));
const deferred = (): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } => {
  let [resolve, reject] = [(): void => undefined, (_error: Error): void => undefined];
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
};

describe("the page of a running process", () => {
  it("draws a marble at acceptance, and another when the message fails or is fulfilled", async () => {
    const commands = new CommandBus();
    const works = [deferred(), deferred()];
    let started = 0;
    commands.register(PlaceOrder, () => works[started++]!.promise);
    const { page } = await browser.open((await served({ commands })).url);
    await hasText(page, "status", "live");
    // A marble must not leave the shown time on a slow machine.
    await page.getByLabel("Time shown").selectOption("1 min");
    expect(await pixels(page, COMMAND)).toBe(0);

    const failing = commands.dispatch(new PlaceOrder("o-1"));
    await until(async () => (await pixels(page, COMMAND)) > 0 && (await pixels(page, OPEN)) > 0);
    expect(await pixels(page, REJECTED)).toBe(0);
    works[0]!.reject(new RangeError("sold out"));
    await expect(failing).rejects.toThrow("sold out");
    await until(async () => (await pixels(page, REJECTED)) > 20 && (await pixels(page, OPEN)) === 0);

    const fine = commands.dispatch(new PlaceOrder("o-2"));
    await until(async () => (await states(page)).includes("open"));
    works[1]!.resolve();
    await fine;
    await until(async () => (await states(page)).join() === "fulfilled,rejected");
    await until(async () => (await pixels(page, COMMAND)) > 40);
  });

  it("shows a conversation as a tree, with the details of a message, and goes back by Escape", async () => {
    const { commands, queries, events } = shop();
    const { page } = await browser.open((await served({ commands, queries, events })).url);
    await commands.dispatch(new PlaceOrder("o-1"));
    await rows(page).filter({ hasText: "GetOrder" }).click();
    const items = page.getByTestId("tree").locator("li");
    await items.nth(2).waitFor();
    expect(await items.allTextContents()).toEqual(["PlaceOrder", "GetOrder", "OrderPlaced"]);
    expect(await items.evaluateAll((all) => all.map((item) => item.getAttribute("data-depth")))).toEqual([
      "0",
      "1",
      "1",
    ]);
    await hasText(page, "payload", '"orderId": "o-1"');
    await hasText(page, "result", '"lines"');
    await hasText(page, "status", "paused");
    await page.getByTestId("zoom").click();
    await items.first().locator("button").click();
    await page.getByTestId("details").getByRole("heading", { name: "PlaceOrder" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("details").waitFor({ state: "hidden" });
    await hasText(page, "status", "live");
  });

  it("filters by words and outcomes", async () => {
    const { commands, queries, events } = shop();
    const { page } = await browser.open((await served({ commands, queries, events })).url);
    await commands.dispatch(new PlaceOrder("o-1"));
    await expect(commands.dispatch(new PlaceOrder("none"))).rejects.toThrow("none left");
    await until(async () => (await rows(page).count()) === 5);
    await page.getByTestId("filter").fill("getorder none");
    await until(async () => (await rows(page).count()) === 1);
    await page.getByTestId("filter").fill("");
    await page.getByTestId("state-fulfilled").click();
    await until(async () => (await states(page)).join() === "rejected");
    await page.getByTestId("state-fulfilled").click();
    await page.getByTestId("lane").filter({ hasText: "OrderPlaced" }).getByRole("button").click();
    await until(async () => (await rows(page).count()) === 1);
  });

  it("holds still while paused, says how many came, and catches up", async () => {
    const { commands, queries, events } = shop();
    const { page } = await browser.open((await served({ commands, queries, events })).url);
    await queries.ask(new GetOrder("first"));
    await rows(page).first().waitFor();
    await page.getByTestId("pause").click();
    await hasText(page, "status", "paused");
    for (const id of ["a", "b", "c"]) await queries.ask(new GetOrder(id));
    await page.getByRole("button", { name: "3 new" }).waitFor();
    expect(await rows(page).count()).toBe(1);
    await page.getByTestId("pause").click();
    await until(async () => (await rows(page).count()) === 4);
    await hasText(page, "status", "live");
  });

  it("holds the table still while the pointer is in it", async () => {
    const { queries } = shop();
    const { page } = await browser.open((await served({ queries })).url);
    await queries.ask(new GetOrder("first"));
    await rows(page).first().hover();
    await queries.ask(new GetOrder("second"));
    await page.getByRole("button", { name: "1 new" }).hover();
    await queries.ask(new GetOrder("third"));
    await page.getByRole("button", { name: "2 new" }).waitFor();
    expect(await rows(page).count()).toBe(1);
    await page.mouse.move(5, 5);
    await until(async () => (await rows(page).count()) === 3);
  });

  it("is used by keyboard alone", async () => {
    const { commands, queries, events } = shop();
    const { page } = await browser.open((await served({ commands, queries, events })).url);
    await commands.dispatch(new PlaceOrder("o-1"));
    await expect(commands.dispatch(new PlaceOrder("none"))).rejects.toThrow("none left");
    await until(async () => (await rows(page).count()) === 5);
    const details = page.getByTestId("details");
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const active = document.getElementById("cqrx-inspector")!.shadowRoot!.activeElement;
        return (active as HTMLElement | null)?.dataset["testid"] ?? active?.className ?? "";
      });

    await page.keyboard.press("e");
    await hasText(page, "error", "there is none left");
    await page.keyboard.press("z");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    expect(await details.getByRole("heading", { level: 2 }).textContent()).not.toBe("");
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "hidden" });

    await page.keyboard.press("/");
    expect(await focused()).toBe("filter");
    await page.keyboard.type("none");
    await until(async () => (await rows(page).count()) === 2);
    await page.keyboard.press("Escape");
    await until(async () => (await rows(page).count()) === 5);
    expect(await focused()).toBe("lanes");

    await page.keyboard.press("Space");
    await hasText(page, "status", "paused");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("+");
    await page.keyboard.press("-");
    await page.keyboard.press("Space");
    await hasText(page, "status", "live");

    // Into the table by Tab, through it by the arrow keys, and out by Escape: the table lives again.
    for (let presses = 0; (await focused()) !== "row-button k-query" && presses < 60; presses++) {
      if ((await focused()).startsWith("row-button")) break;
      await page.keyboard.press("Tab");
    }
    expect(await focused()).toMatch(/^row-button/);
    await page.keyboard.press("Enter");
    await details.waitFor();
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toMatch(/^row-button/);
    await page.keyboard.press("Escape");
    await details.waitFor({ state: "hidden" });
    expect(await focused()).toBe("lanes");
    await queries.ask(new GetOrder("late"));
    await until(async () => (await rows(page).count()) === 6);

    await page.keyboard.press("?");
    await page.getByTestId("help").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("help").waitFor({ state: "hidden" });
  });

  it("goes on after a restart under the same token and port, and drops the old run", async () => {
    const { queries } = shop();
    const first = inspect({ queries }, { token: "a-token-that-stays-the-same" });
    const { url, port } = await first.listen();
    const tab = await browser.open(url!);
    await queries.ask(new GetOrder("before"));
    await rows(tab.page).filter({ hasText: "before" }).waitFor();
    expect(tab.page.url()).not.toContain("#");
    await first.close();
    await until(async () =>
      /lost|available/.test((await tab.page.getByTestId("status").textContent()) ?? ""),
    );

    const second = inspect({ queries }, { token: "a-token-that-stays-the-same" });
    inspectors.push(second);
    await queries.ask(new GetOrder("after"));
    await second.listen({ port: port! });
    await rows(tab.page).filter({ hasText: "after" }).waitFor();
    await until(async () => (await rows(tab.page).count()) === 1);
    // Chromium itself reports connections that are refused.
    expect(tab.problems.splice(0).filter((text) => !/^Failed to load resource|ERR_/.test(text))).toEqual([]);
  });

  it("151. says what to do about a wrong token, shows no data, and takes a new link", async () => {
    const { queries } = shop();
    const { url } = await served({ queries });
    await queries.ask(new GetOrder("secret-order"));
    const tab = await browser.open(url.replace(/#.*/, "#wrong"));
    await hasText(tab.page, "status", "wrong token");
    await tab.page.getByText("Open the link that the process printed last").waitFor();
    expect(await tab.page.getByTestId("messages").textContent()).not.toContain("secret-order");
    expect(tab.problems.splice(0)).toEqual([expect.stringContaining("401")]);
    await tab.page.evaluate((hash) => (location.hash = hash), new URL(url).hash);
    await rows(tab.page).filter({ hasText: "secret-order" }).waitFor();
  });

  it("keeps the theme that was chosen", async () => {
    const { queries } = shop();
    const { page } = await browser.open((await served({ queries })).url);
    await page.getByRole("button", { name: "Light theme" }).click();
    await page.getByRole("button", { name: "Dark theme" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Dark theme" }).waitFor();
    expect(await page.locator(".app").getAttribute("data-theme")).toBe("light");
  });

  it("exports JSON lines", async () => {
    const { queries } = shop();
    const { page } = await browser.open((await served({ queries })).url);
    await queries.ask(new GetOrder("o-9"));
    await rows(page).first().waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("export").click()]);
    expect(download.suggestedFilename()).toMatch(/\.jsonl$/);
    const lines = readFileSync(await download.path(), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { name: string }).name)).toEqual(["GetOrder"]);
  });

  it("lists what is in flight, faults, refusals and the wiring", async () => {
    const { commands, queries, events } = shop();
    class Unknown {}
    const work = deferred();
    class Slow {}
    commands.register(Slow, () => work.promise);
    events.faults$.subscribe();
    events.outcomes$.subscribe(() => {
      throw new TypeError("a broken projection");
    });
    const { page } = await browser.open((await served({ commands, queries, events })).url);
    const slow = commands.dispatch(new Slow());
    await events.publish(new OrderPlaced("o-1"));
    await expect(commands.dispatch(new Unknown())).rejects.toThrow("Unknown");
    await page.getByTestId("tab-in-flight").click();
    await page.getByRole("tabpanel").getByRole("button", { name: "Slow" }).waitFor();
    await page.getByTestId("tab-troubles").click();
    await page.getByRole("tabpanel").getByText("a broken projection").first().waitFor();
    await page.getByRole("tabpanel").getByText("refused").first().waitFor();
    await page.getByTestId("tab-wiring").click();
    await page.getByRole("tabpanel").getByRole("heading", { name: "queries" }).waitFor();
    work.resolve();
    await slow;
    await page.getByTestId("tab-in-flight").click();
    await page.getByText("Nothing is in flight.").waitFor();
  });
});

const SCRIPT = "<img src=x onerror=hacked=1></script><script>hacked=1</script>";

/** Sends script in every text that the page shows. */
async function sendScript(commands: CommandBus, queries: QueryBus, events: EventBus): Promise<void> {
  const Type = { [SCRIPT]: class {} }[SCRIPT] as new () => object;
  class Failing {
    readonly [SCRIPT] = SCRIPT;
  }
  commands.register(Failing, () => {
    const error = new Error(SCRIPT);
    error.name = SCRIPT;
    error.stack = SCRIPT;
    throw error;
  });
  queries.register(Type, () => ({ [SCRIPT]: SCRIPT }));
  events.faults$.subscribe();
  events.outcomes$.subscribe(() => {
    throw new Error(SCRIPT);
  });
  await commands.dispatch(new Failing(), { headers: { "x-script": SCRIPT } }).catch(() => undefined);
  await queries.ask(new Type());
  await events.publish(new Type());
  await commands.dispatch(new Type()).catch(() => undefined);
}

async function expectOnlyText(page: Page): Promise<void> {
  await page.getByTestId("messages").getByText("<img").first().waitFor();
  for (const name of [/Failing/, /^<img/]) {
    await rows(page).getByRole("button", { name }).first().click();
    await page.getByTestId("payload").waitFor();
    const lane = page.getByTestId("lanes").locator("canvas");
    await lane.hover({ position: { x: 60, y: 60 } });
    await page.keyboard.press("Escape");
  }
  for (const tab of ["in-flight", "troubles", "wiring"]) await page.getByTestId(`tab-${tab}`).click();
  const found = await page.evaluate(() => {
    const shadow = document.getElementById("cqrx-inspector")!.shadowRoot!;
    return [shadow.querySelectorAll("img, script").length, "hacked" in globalThis];
  });
  expect(found).toEqual([0, false]);
}

describe("158. script in type names, payloads, results, headers, errors and stacks", () => {
  it("is shown as text by the page", async () => {
    const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
    const { url } = await served({ commands, queries, events });
    const { page } = await browser.open(url);
    await sendScript(commands, queries, events);
    await expectOnlyText(page);
  });

  it("is shown as text by a recording, which sends no request", async () => {
    const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
    const inspector = inspect({ commands, queries, events });
    inspectors.push(inspector);
    await sendScript(commands, queries, events);
    const { page, requests } = await browser.openHTML(inspector.toHTML());
    await hasText(page, "status", "recording");
    await expectOnlyText(page);
    expect(requests).toEqual([page.url()]);
  });
});

describe("a recording", () => {
  it("is shown whole, with the share of messages that are drawn", async () => {
    const { page } = await browser.openRecording(recording);
    expect(await page.getByTestId("drawn").textContent()).toBe("25% of 2,636");
    expect(await page.getByTestId("in-flight").textContent()).toBe("6");
    expect(await page.getByTestId("p99").textContent()).toBe("340 msCapturePayment");
    expect(
      await page.getByTestId("lane").evaluateAll((all) => all.map((lane) => lane.getAttribute("data-type"))),
    ).toEqual([
      "CancelOrder",
      "CapturePayment",
      "PlaceOrder",
      "SendMail",
      "ShipOrder",
      "GetOrder",
      "GetStock",
      "SearchProducts",
      "OrderPlaced",
      "OrderShipped",
      "PaymentCaptured",
      "ArchiveOrders",
    ]);
    expect(await pixels(page, REJECTED)).toBeGreaterThan(300);
  });

  it("selects the marble below the pointer, and moves in time by a drag", async () => {
    const { page } = await browser.openRecording(recording);
    await page.keyboard.press("e");
    await page.getByTestId("zoom").click();
    const name = await page.getByTestId("details").getByRole("heading", { level: 2 }).textContent();
    const order = recording.messages.filter(({ state }) => state === "rejected").at(-1)!;
    expect(name).toBe(order.name);
    // The first marble of the zoomed conversation lies at the left margin, in the lane of its type.
    const canvas = (await page.locator("canvas.marbles").boundingBox())!;
    const lane = (await page.locator(`[data-type=${order.name}]`).boundingBox())!;
    await page.keyboard.press("Escape");
    await page.getByTestId("details").waitFor({ state: "hidden" });
    await page.mouse.move(canvas.x + 300, lane.y + lane.height / 2);
    await page.mouse.down();
    await page.mouse.move(canvas.x + 500, lane.y + lane.height / 2, { steps: 4 });
    await page.mouse.up();
    await page.getByTestId("pause").filter({ hasText: "Show all" }).click();
    const before = await pixels(page, REJECTED);
    // A click on each point of a grid finds a marble sooner or later.
    for (let x = 20; x < canvas.width && (await page.getByTestId("details").isHidden()); x += 12) {
      await page.mouse.click(canvas.x + x, lane.y + lane.height / 2);
    }
    await page.getByTestId("details").waitFor();
    expect(before).toBeGreaterThan(0);
  });

  it("shows less time by the wheel, around the pointer, where the lanes need no scrolling", async () => {
    const { page } = await browser.openRecording(recording, { viewport: { width: 1280, height: 1_200 } });
    const canvas = page.locator("canvas.marbles");
    const span = (): Promise<string> =>
      page.getByLabel("Time shown").evaluate((select: HTMLSelectElement) => select.selectedOptions[0]!.text);
    const whole = await span();
    await canvas.hover({ position: { x: 200, y: 200 } });
    await page.mouse.wheel(0, -400);
    await until(async () => (await span()) !== whole);
    await page.mouse.wheel(0, 400);
    await until(async () => (await span()) === whole);

    await page.setViewportSize({ width: 1280, height: 420 });
    const top = (): Promise<number> => page.getByTestId("lanes").evaluate((lanes) => lanes.scrollTop);
    await canvas.hover({ position: { x: 200, y: 60 } });
    await page.mouse.wheel(0, 200);
    await until(async () => (await top()) > 0);
    expect(await span()).toBe(whole);
  });

  it("explains keys and marbles", async () => {
    const { page } = await browser.openRecording(recording);
    await page.getByRole("button", { name: "Help" }).click();
    for (const word of ["fulfilled", "rejected", "cancelled", "in flight", "This help"])
      await page.getByTestId("help").getByText(word).waitFor();
  });

  it("needs no sideways scrolling at 390 pixels, in any tab", async () => {
    const { page } = await browser.openRecording(recording, { viewport: { width: 390, height: 844 } });
    const tooWide = (): Promise<string[]> =>
      page.evaluate(() => {
        const { shadowRoot } = document.getElementById("cqrx-inspector")!;
        const all = [
          document.documentElement,
          ...shadowRoot!.querySelectorAll(".app, .left, .scroll, .details, .toolbar"),
        ];
        return all.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.className);
      });
    for (const tab of ["messages", "in-flight", "troubles", "wiring"]) {
      await page.getByTestId(`tab-${tab}`).click();
      expect(await tooWide()).toEqual([]);
    }
    await page.keyboard.press("e");
    await page.getByTestId("details").waitFor();
    expect(await tooWide()).toEqual([]);
  });
});

describe("mount()", () => {
  const { outputFiles } = buildSync({
    stdin: {
      resolveDir: root,
      contents: `
        import { QueryBus } from "./src/index.ts";
        import { mount } from "./src/inspector/browser/index.ts";
        class GetOrder { constructor(id) { this.orderId = id; } }
        const queries = new QueryBus();
        queries.register(GetOrder, () => 1);
        globalThis.app = { mounted: mount({ queries }), ask: (id) => queries.ask(new GetOrder(id)) };`,
    },
    bundle: true,
    write: false,
    format: "esm",
  });
  const PAGE =
    '<!doctype html><html lang="en"><title>app</title><h1>App</h1><script type="module" src="/app.js"></script>';
  const POLICY =
    "default-src 'none'; script-src 'self'; style-src 'self'; require-trusted-types-for 'script'";

  it("works in a page with a strict policy, over the application, and leaves nothing behind", async () => {
    const server = await import("node:http").then(({ createServer }) =>
      createServer((request, response) => {
        const isScript = request.url === "/app.js";
        response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
        response.setHeader("content-security-policy", POLICY);
        response.end(isScript ? outputFiles[0]!.text : request.url === "/" ? PAGE : "");
      }),
    );
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    try {
      const { page } = await browser.open(`http://127.0.0.1:${port}/`, {}, "cqrx inspector");
      await page.getByRole("button", { name: "cqrx inspector" }).click();
      await page.evaluate(() =>
        (globalThis as never as { app: { ask(id: string): unknown } }).app.ask("o-7"),
      );
      await page.getByTestId("messages").getByText("o-7").waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("absent");
      await page.getByText("No message passes the filter.").waitFor();
      await page.getByRole("button", { name: "Close", exact: true }).click();
      await page.getByRole("button", { name: "cqrx inspector" }).waitFor();
      await page.evaluate(() =>
        (globalThis as never as { app: { mounted: { unmount(): void } } }).app.mounted.unmount(),
      );
      expect(await page.evaluate(() => document.body.children.length)).toBe(2);
    } finally {
      server.close();
    }
  });
});
