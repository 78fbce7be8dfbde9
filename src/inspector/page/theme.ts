import { type Colours, DARK, LIGHT } from "./colours.js";
import { stored } from "./storage.js";

const KEY = "cqrx-inspector-theme";

/** The theme of the system, or the other one if the user has asked for it. */
export class Theme {
  readonly #light = matchMedia("(prefers-color-scheme: light)");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #changed: () => void;
  #chosen = stored(() => localStorage, KEY);

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#light.addEventListener("change", changed);
  }

  get isLight(): boolean {
    return this.#chosen ? this.#chosen === "light" : this.#light.matches;
  }

  get colours(): Colours {
    return this.isLight ? LIGHT : DARK;
  }

  /** Reports if the user's system asks for less motion. */
  get calm(): boolean {
    return this.#calm.matches;
  }

  toggle(): void {
    this.#chosen = this.isLight ? "dark" : "light";
    stored(() => localStorage, KEY, this.#chosen);
    this.#changed();
  }

  destroy(): void {
    this.#light.removeEventListener("change", this.#changed);
  }
}
