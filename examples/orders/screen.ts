/** Lines of what happens, and in a terminal a last line with the live count. */
export class Screen {
  #live = "";
  #shownMs = -Infinity;
  readonly #isTTY = process.stdout.isTTY;

  print(line: string): void {
    console.log(this.#isTTY ? `\r\x1b[K${line}` : line);
    if (this.#isTTY) process.stdout.write(this.#live);
  }

  /** Elsewhere than in a terminal, the count is a line a second. */
  live(text: string): void {
    if (this.#isTTY) process.stdout.write(`\r\x1b[K${text}`);
    else if (performance.now() - this.#shownMs > 1_000) {
      this.#shownMs = performance.now();
      console.log(text);
    }
    this.#live = text;
  }

  /** The live line stays as it is, and what follows goes below it. */
  endLive(): void {
    console.log(this.#isTTY ? "" : this.#live);
    this.#live = "";
  }
}
