import { expect } from "@jest/globals";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { errorsOf } from "./browser.js";

/** Long enough for a few frames, and short beside everything that the specs time. */
const FRAMES_MS = 50;

/** A tab with the reading list that examples/react and examples/angular show. The spec controls its clock. */
export class ReadingList implements AsyncDisposable {
  readonly page: Page;
  readonly #context: BrowserContext;
  readonly #url: string;
  readonly #errors: string[];
  #paused = false;

  private constructor(page: Page, context: BrowserContext, url: string) {
    this.page = page;
    this.#context = context;
    this.#url = url;
    this.#errors = errorsOf(page);
  }

  static async open(browser: Browser, url: string): Promise<ReadingList> {
    return ReadingList.#tab(await browser.newContext(), url);
  }

  static async #tab(context: BrowserContext, url: string): Promise<ReadingList> {
    const page = await context.newPage();
    await page.clock.install({ time: 0 });
    const list = new ReadingList(page, context, url);
    await page.goto(url);
    await page.getByText("Nothing yet").waitFor();
    return list;
  }

  /** Opens the list again in a tab that shares the storage of the browser. */
  secondTab(): Promise<ReadingList> {
    return ReadingList.#tab(this.#context, this.#url);
  }

  /** Stops the clock: from here on, time passes when the spec says so. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.page.clock.pauseAt(3_600_000);
  }

  /** Lets the framework render, which may wait for the next frame. */
  async #render(): Promise<void> {
    if (this.#paused) await this.pass(FRAMES_MS);
  }

  pass(ms: number): Promise<void> {
    return this.page.clock.runFor(ms);
  }

  /** Types a text, and lets the time pass after which the application asks. The clock must be paused. */
  async search(text: string): Promise<void> {
    await this.page.getByLabel("Title or author").fill(text);
    await this.#render();
    await this.pass(100);
  }

  /** Types a text, and waits for the hits. */
  async find(text: string): Promise<void> {
    await this.page.getByLabel("Title or author").fill(text);
    await this.page.getByRole("list", { name: "Found" }).getByRole("listitem").first().waitFor();
  }

  async add(title: string): Promise<void> {
    await this.#click(`Add ${title}`);
  }

  async remove(title: string): Promise<void> {
    await this.#click(`Remove ${title}`);
  }

  /** Clicks in the foreground, because a click waits for frames, of which a tab in the background has few. */
  async #click(name: string): Promise<void> {
    await this.page.bringToFront();
    await this.page.getByRole("button", { name }).click();
  }

  async found(): Promise<string[]> {
    await this.#render();
    return this.page.getByRole("list", { name: "Found" }).locator(".title").allTextContents();
  }

  async numbers({ asked, aborted }: { asked: number; aborted: number }): Promise<void> {
    await this.#render();
    const text = new RegExp(`searches asked ${asked}\\s*aborted ${aborted}`);
    await this.page.getByRole("status").filter({ hasText: text }).waitFor();
  }

  /** Waits until the list has these books, each with the text below its title. */
  async shows(books: readonly string[]): Promise<void> {
    await this.#render();
    const section = this.page.getByRole("region", { name: "The list" });
    await this.page.waitForFunction(
      ([element, texts]) => {
        const items = [...(element as Element).querySelectorAll("li")];
        const shown = items.map((item) => {
          const [title, text] = [".title", ".quiet"].map((part) => item.querySelector(part)!.textContent);
          return `${title} ${text}`;
        });
        return JSON.stringify(shown) === JSON.stringify(texts);
      },
      [await section.elementHandle(), books] as const,
      // Not by frames, because a tab in the background has few. These timers are the browser's, and never paused.
      { polling: 50 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    expect(this.#errors).toEqual([]);
  }
}
