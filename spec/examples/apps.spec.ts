// The applications of examples/ that have packages of their own: installed, built, started and used as their readers do.
// One file, because they are installed one after the other.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Browser } from "playwright-core";
import { angularBuses, type BusesTold } from "./support/angular-buses.js";
import { expectAccessible, launch, open, serveFolder } from "./support/browser.js";
import { ExampleApp } from "./support/example-app.js";
import { ReadingList } from "./support/reading-list.js";
import { EventReader } from "./support/sse.js";

const run = promisify(execFile);

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

describe("examples/nestjs", () => {
  let app: ExampleApp;
  let url: string;

  beforeAll(async () => {
    app = new ExampleApp("nestjs", [], { PORT: "0" });
    url = await app.url();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  const call = async (method: string, path: string, body?: unknown): Promise<[number, unknown]> => {
    const response = await fetch(url + path, {
      method,
      headers: { "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return [response.status, text === "" ? undefined : (JSON.parse(text) as unknown)];
  };
  const emma = { title: "Emma", author: "Jane Austen" };

  it("runs handlers whose dependencies are injected", async () => {
    expect(await call("POST", "/books", emma)).toEqual([201, undefined]);
    expect(await call("GET", "/books")).toEqual([200, [{ ...emma, id: expect.any(String) }]]);
    await app.match(/To the book club: “Emma” by Jane Austen/);
  });

  it("answers errors by one table", async () => {
    expect(await call("POST", "/books", { title: " ", author: "x".repeat(201) })).toEqual([
      422,
      {
        message: "This is not valid.",
        issues: [
          { message: "The title is missing.", path: ["title"] },
          { message: "The author is too long.", path: ["author"] },
        ],
      },
    ]);
    expect(await call("POST", "/books", { ...emma, title: "EMMA" })).toEqual([
      409,
      { message: "“EMMA” is on the list already." },
    ]);
    expect(await call("DELETE", "/books/x")).toEqual([404, { message: "This book is not on the list." }]);
    expect((await call("POST", "/books", { title: 1 }))[0]).toBe(422);
    expect((await call("GET", "/nothing"))[0]).toBe(404);
  });

  it("shows a list that follows a command from a second window", async () => {
    const [first, second] = [await open(browser, url), await open(browser, url)];
    for (const { page } of [first, second]) await page.getByText("live", { exact: true }).waitFor();
    await first.page.getByLabel("Title").fill("Dracula");
    await first.page.getByLabel("Author").fill("Bram Stoker");
    await first.page.getByRole("button", { name: "Add" }).click();
    await second.page.getByText("Bram Stoker").waitFor();
    await expectAccessible(second.page);
    await second.page.getByRole("button", { name: "Remove Dracula" }).click();
    await first.page.getByText("Bram Stoker").waitFor({ state: "detached" });
    await first.page.getByRole("button", { name: "Add" }).click();
    await first.page.getByText("The title is missing.").waitFor();
    // The browser reports the response with status 422.
    expect([first.errors, second.errors]).toEqual([[expect.stringContaining("422")], []]);
    for (const { page } of [first, second]) await page.close();
  });

  it("ends its streams and itself when it is interrupted", async () => {
    const events = new EventReader(await fetch(`${url}/books/live`));
    expect(await events.next()).toBeDefined();
    await app.interrupt();
    expect(await events.next()).toBeUndefined();
  });
});

describe("examples/react", () => {
  const folder = join(__dirname, "../../examples/react");
  let site: { url: string; close(): void };

  beforeAll(async () => {
    await ExampleApp.install("react");
    await run("npm", ["run", "build"], { cwd: folder });
    site = await serveFolder(join(folder, "dist"));
  });
  afterAll(() => site.close());

  it("starts by one command", async () => {
    await using app = new ExampleApp("react", ["--port", "0"]);
    expect(await (await fetch(await app.url())).text()).toContain("<title>Reading list");
  });

  itIsAReadingList(() => site.url);
  itIsAccessible(() => site.url);
});

describe("examples/angular", () => {
  const folder = join(__dirname, "../../examples/angular");
  let site: { url: string; close(): void };

  beforeAll(async () => {
    await ExampleApp.install("angular");
    await run("npm", ["run", "build"], { cwd: folder });
    await run("npm", ["run", "build:zone"], { cwd: folder });
    site = await serveFolder(join(folder, "dist"));
  });
  afterAll(() => site.close());

  it("starts by one command", async () => {
    await using app = new ExampleApp("angular", ["--port", "0"]);
    expect(await (await fetch(await app.url())).text()).toContain("<title>Reading list");
  });

  describe("without zone.js", () => {
    it("has no zone.js", async () => {
      await using list = await ReadingList.open(browser, site.url);
      expect(await list.page.evaluate(() => "Zone" in globalThis)).toBe(false);
    });

    itIsAReadingList(() => site.url);
    itIsAccessible(() => site.url);
  });

  describe("with zone.js", () => {
    it("has zone.js", async () => {
      await using list = await ReadingList.open(browser, `${site.url}zone/`);
      expect(await list.page.evaluate(() => "Zone" in globalThis)).toBe(true);
    });

    itIsAReadingList(() => `${site.url}zone/`);
    itIsAccessible(() => `${site.url}zone/`);
  });

  it.each([
    ["without", false],
    ["with", true],
  ])("closes its buses when the application is destroyed, %s zone.js", async (_, zone) => {
    const { page, errors } = await open(browser, site.url);
    await page.addScriptTag({ type: "module", content: await angularBuses(folder, zone) });
    const told = await page.waitForFunction(() => (globalThis as { told?: BusesTold }).told);
    expect(await told.jsonValue()).toEqual({
      zone,
      before: expect.arrayContaining(["value", "dispatched"]),
      after: ["BUS_CLOSED", "the command in flight has ended", "the live query is complete", "BUS_CLOSED"],
    });
    expect(errors).toEqual([]);
    await page.close();
  });
});

/** The front ends are one application, written for each framework. */
function itIsAReadingList(url: () => string): void {
  it("aborts the search that a newer one supersedes", async () => {
    await using list = await ReadingList.open(browser, url());
    await list.pause();
    await list.search("a");
    await list.numbers({ asked: 1, aborted: 0 });
    await list.search("austen");
    await list.numbers({ asked: 2, aborted: 1 });
    expect(await list.found()).toEqual([]);
    await list.pass(500);
    await list.page.getByRole("button", { name: "Add Emma" }).waitFor();
    expect(await list.found()).toEqual(["Pride and Prejudice", "Emma", "Persuasion"]);
    await list.numbers({ asked: 2, aborted: 1 });
  });

  it("shows a book before the server has it, and takes it back when the server refuses it", async () => {
    await using list = await ReadingList.open(browser, url());
    await list.find("austen");
    await list.pause();
    await list.add("Emma");
    await list.shows(["Emma saving …"]);
    await list.pass(800);
    await list.shows(["Emma Jane Austen"]);

    await list.page.getByLabel("The server refuses changes").check();
    await list.add("Persuasion");
    await list.shows(["Emma Jane Austen", "Persuasion saving …"]);
    await list.pass(800);
    await list.shows(["Emma Jane Austen"]);
    expect(await list.page.getByRole("alert").textContent()).toContain("The server refused “Persuasion”.");
  });

  it("follows a command from a second tab", async () => {
    await using first = await ReadingList.open(browser, url());
    await using second = await first.secondTab();
    await first.find("stoker");
    await first.add("Dracula");
    await second.shows(["Dracula Bram Stoker"]);
    await second.remove("Dracula");
    await first.shows([]);
  });
}

function itIsAccessible(url: () => string): void {
  it("is accessible, in both colour schemes, on a desktop and a phone", async () => {
    await using list = await ReadingList.open(browser, url());
    await list.find("austen");
    await list.page.getByLabel("The server refuses changes").check();
    await list.add("Emma");
    await list.page.getByText("The server refused").waitFor();
    await list.page.getByLabel("The server refuses changes").uncheck();
    await list.add("Persuasion");
    await list.shows(["Persuasion Jane Austen"]);
    await expectAccessible(list.page);
  });
}
