import { type Colours, DARK, LIGHT } from "./colours.js";

const KEY = "cqrx-inspector-theme";

/** The theme of the system, or the other one if the user has asked for it. */
export class Theme {
  readonly #light = matchMedia("(prefers-color-scheme: light)");
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #changed: () => void;
  #chosen: string | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#chosen = recall();
    this.#light.addEventListener("change", changed);
    this.#calm.addEventListener("change", changed);
  }

  get name(): "light" | "dark" {
    if (this.#chosen === "light" || this.#chosen === "dark") return this.#chosen;
    return this.#light.matches ? "light" : "dark";
  }

  get colours(): Colours {
    return this.name === "light" ? LIGHT : DARK;
  }

  /** Reports if the user's system asks for less motion. */
  get calm(): boolean {
    return this.#calm.matches;
  }

  toggle(): void {
    this.#chosen = this.name === "light" ? "dark" : "light";
    try {
      localStorage.setItem(KEY, this.#chosen);
    } catch {
      // A page without storage forgets the choice on reload.
    }
    this.#changed();
  }

  destroy(): void {
    this.#light.removeEventListener("change", this.#changed);
    this.#calm.removeEventListener("change", this.#changed);
  }
}

function recall(): string | undefined {
  try {
    return localStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
