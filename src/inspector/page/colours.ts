/**
 * The colours of one theme. The canvas takes them from here, the style sheet as custom properties of the same names.
 */
export interface Colours {
  readonly page: string;
  readonly panel: string;
  readonly raised: string;
  readonly line: string;
  readonly text: string;
  readonly quiet: string;
  readonly accent: string;
  readonly command: string;
  readonly query: string;
  readonly event: string;
  readonly fulfilled: string;
  readonly rejected: string;
  readonly open: string;
}

// Every text colour has a contrast of 4.5 or more on page, panel, raised and the selected row; axe-core checks it.
export const DARK: Colours = {
  page: "#0d0f16",
  panel: "#141722",
  raised: "#1d2130",
  line: "#282d3f",
  text: "#eef",
  quiet: "#9ab",
  accent: "#8bf",
  command: "#79f",
  query: "#3db",
  event: "#c9f",
  fulfilled: "#6d9",
  rejected: "#f67",
  open: "#fb5",
};

export const LIGHT: Colours = {
  page: "#f6f7fb",
  panel: "#fff",
  raised: "#eef0f7",
  line: "#dfe2ee",
  text: "#112",
  quiet: "#557",
  accent: "#25d",
  command: "#15d",
  query: "#076",
  event: "#83d",
  fulfilled: "#174",
  rejected: "#b12",
  open: "#850",
};

/** Returns the custom properties of a theme. */
export function propertiesOf(colours: Colours): string {
  return Object.entries(colours)
    .map(([name, value]) => `--${name}:${value as string};`)
    .join("");
}
