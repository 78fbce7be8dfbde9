// The applications of examples/ that have packages of their own: installed, built, started and used as their readers do.
// One file, because they are installed one after the other.
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Browser } from "playwright-core";
import { expectAccessible, launch, open } from "./support/browser.js";
import { ExampleApp } from "./support/example-app.js";
import { EventReader } from "./support/sse.js";

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
  }, 300_000);
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
