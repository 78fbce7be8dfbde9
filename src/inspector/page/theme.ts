import { type Colours, DARK, LIGHT } from "./colours.js";

const KEY = "cqrx-inspector-theme";

/** The theme that the user chose, also on an earlier visit, or else that of the system. */
export class Theme {
  readonly #light = matchMedia("(prefers-color-scheme: light)");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #changed: () => void;
  #chosen = remembered();

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
    this.#chosen = remembered(this.isLight ? "dark" : "light");
    this.#changed();
  }

  destroy(): void {
    this.#light.removeEventListener("change", this.#changed);
  }
}

/** Returns the theme that is remembered, after remembering the given one. A page without storage forgets it. */
function remembered(theme?: string): string | undefined {
  try {
    if (theme) localStorage[KEY] = theme;
    return localStorage[KEY] as string | undefined;
  } catch {
    return theme;
  }
}
