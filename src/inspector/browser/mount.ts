import { aBoolean, checkOptions, withMethods, type Checks } from "../../core/checks.js";
import { attach, type LocalInspector } from "../attached.js";
import type { InspectOptions } from "../options.js";
import { localSource } from "../page/sources/local.js";
import { createView } from "../page/view.js";
import type { Inspected } from "../parts.js";

/** Options of {@link mount}. Those about connections have no effect in a page. */
export interface MountOptions extends InspectOptions {
  /** The element that the button and the panel are added to. @defaultValue the body of the document */
  readonly element?: Element;
  /** Opens the panel at once. @defaultValue false */
  readonly open?: boolean;
}

/** An inspector inside a page. */
export interface Mounted {
  readonly inspector: LocalInspector;
  /** Removes the button and the panel, and closes the inspector. */
  unmount(): void;
}

type Placement = Pick<MountOptions, "element" | "open">;

const RULES: Checks<Placement> = {
  element: withMethods("an element", "append"),
  open: aBoolean,
};

const STYLE = `
  button {
    position: fixed; right: 12px; bottom: 12px; z-index: 2147483646; padding: 8px 14px;
    border: 1px solid #8884; border-radius: 999px; background: #14161d; color: #f2f4fa;
    font: 600 13px/1.2 system-ui, sans-serif; cursor: pointer;
  }
  button:focus-visible { outline: 3px solid #7aa2ff; outline-offset: 2px; }
  .panel { position: fixed; inset: 0; z-index: 2147483647; }
  [hidden] { display: none; }
`;

/**
 * Adds a button named "cqrx inspector" to a page, which opens the inspector over the application.
 *
 * Guarantees: works under any content security policy, Trusted Types included, with no option; frames are made
 * while the panel is open only.
 *
 * @throws InvalidOptionsError
 * @example
 * if (import.meta.env.DEV) {
 *   const { mount } = await import("cqrx/inspector/browser");
 *   mount({ commands, queries, events });
 * }
 */
export function mount(buses: Inspected, options: MountOptions = {}): Mounted {
  const { element, open, ...inspectOptions } = options;
  checkOptions<Placement>("mount()", { element, open }, RULES);
  const { local: inspector } = attach(buses, inspectOptions);

  const host = document.createElement("div");
  const shadow = host.attachShadow({ mode: "open" });
  // A constructed sheet, which no policy about styles refuses.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "cqrx inspector";
  shadow.append(button);
  let panel: { readonly element: HTMLElement; readonly view: { destroy(): void } } | undefined;

  const hide = (): void => {
    panel?.view.destroy();
    panel?.element.remove();
    panel = undefined;
    button.hidden = false;
    button.focus();
  };
  const show = (): void => {
    if (panel !== undefined) return;
    const place = document.createElement("div");
    place.className = "panel";
    shadow.append(place);
    const view = createView(place, localSource(inspector), {
      exportLines: () => inspector.toJSONLines(),
      onClose: hide,
    });
    panel = { element: place, view };
    button.hidden = true;
  };
  button.addEventListener("click", show);
  (element ?? document.body).append(host);
  if (open === true) show();
  return {
    inspector,
    unmount() {
      panel?.view.destroy();
      panel = undefined;
      host.remove();
      void inspector.close();
    },
  };
}
