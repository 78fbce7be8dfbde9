import { DARK, LIGHT, propertiesOf } from "../colours.js";
import { base } from "./base.js";
import { bottom } from "./bottom.js";
import { details } from "./details.js";
import { diagram } from "./diagram.js";
import { sizes } from "./sizes.js";
import { toolbar } from "./toolbar.js";

let made: CSSStyleSheet | undefined;

/**
 * Returns the one style sheet of all views. It is constructed, because a policy without `style-src` refuses style
 * elements.
 */
export function styleSheet(): CSSStyleSheet {
  if (made) return made;
  made = new CSSStyleSheet();
  const themes = `
.app { ${propertiesOf(DARK)} color-scheme: dark; }
.app[data-theme=light] { ${propertiesOf(LIGHT)} color-scheme: light; }
`;
  made.replaceSync([themes, base, toolbar, diagram, bottom, details, sizes].join(""));
  return made;
}
