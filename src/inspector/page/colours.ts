/** The colours of one theme. The canvas takes them from here, the style sheet as custom properties of the same names. */
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
  readonly cancelled: string;
  readonly open: string;
  readonly badge: string;
  readonly onBadge: string;
}

// Every text colour has a contrast of 4.5 or more on page, panel and raised: a spec checks it with axe-core.
export const DARK: Colours = {
  page: "#0d0f16",
  panel: "#141722",
  raised: "#1d2130",
  line: "#282d3f",
  text: "#e8eaf2",
  quiet: "#9aa1b8",
  accent: "#8fb0ff",
  command: "#7c9eff",
  query: "#3fd4b4",
  event: "#cd93ff",
  fulfilled: "#62d394",
  rejected: "#ff6b7d",
  cancelled: "#a3a9bd",
  open: "#ffbe5c",
  badge: "#ff6b7d",
  onBadge: "#1a0a0d",
};

export const LIGHT: Colours = {
  page: "#f6f7fb",
  panel: "#ffffff",
  raised: "#eef0f7",
  line: "#dfe2ee",
  text: "#171a26",
  quiet: "#565d75",
  accent: "#2d55d4",
  command: "#2f5fe3",
  query: "#00735f",
  event: "#8a3cd4",
  fulfilled: "#0f7a42",
  rejected: "#c5153a",
  cancelled: "#5d6478",
  open: "#8f5300",
  badge: "#c5153a",
  onBadge: "#ffffff",
};

/** Returns the custom properties of a theme. */
export function propertiesOf(colours: Colours): string {
  return Object.entries(colours)
    .map(([name, value]) => `--${name}:${value as string};`)
    .join("");
}
