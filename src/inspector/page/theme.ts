import { type Colours, DARK, LIGHT } from "./colours.js";

/** The theme of the system, or the other one while the user wants it. */
export class Theme {
  readonly #light = matchMedia("(prefers-color-scheme: light)");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #changed: () => void;
  #isOther = false;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#light.addEventListener("change", changed);
  }

  get isLight(): boolean {
    return this.#light.matches !== this.#isOther;
  }

  get colours(): Colours {
    return this.isLight ? LIGHT : DARK;
  }

  /** Reports if the user's system asks for less motion. */
  get calm(): boolean {
    return this.#calm.matches;
  }

  toggle(): void {
    this.#isOther = !this.#isOther;
    this.#changed();
  }

  destroy(): void {
    this.#light.removeEventListener("change", this.#changed);
  }
}
