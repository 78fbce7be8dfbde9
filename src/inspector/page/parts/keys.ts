import { type Actions } from "../model/actions.js";

const PAN = 0.25;
const ZOOM = 1.6;

/** Keys that buttons, fields and lists of choices need themselves. */
const OWN_KEYS: readonly (readonly [selector: string, keys: RegExp])[] = [
  ["input, select, textarea", /^(?!Escape$)/],
  ["button, summary, a", /^( |Enter)$/],
  ["[role=tablist]", /^Arrow/],
];

/** Returns the listener of the keyboard. */
export function keyListener(
  actions: Actions,
  { focusFilter, escape }: { readonly focusFilter: () => void; readonly escape: () => void },
): (event: KeyboardEvent) => void {
  const keys: Readonly<Record<string, () => void>> = {
    " ": () => actions.toggleLive(),
    ArrowLeft: () => actions.pan(-PAN),
    ArrowRight: () => actions.pan(PAN),
    "+": () => actions.zoom(1 / ZOOM),
    "=": () => actions.zoom(1 / ZOOM),
    "-": () => actions.zoom(ZOOM),
    ArrowDown: () => actions.step(1),
    ArrowUp: () => actions.step(-1),
    e: () => actions.lastFailure(),
    z: () => actions.zoomToConversation(),
    "/": focusFilter,
    "?": () => actions.toggleHelp(),
    Escape: escape,
  };
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // The first of the path is the element inside the shadow root.
    const target = event.composedPath()[0];
    const isOwn = ([selector, own]: (typeof OWN_KEYS)[number]): boolean =>
      target instanceof Element && target.closest(selector) !== null && own.test(event.key);
    const act = keys[event.key];
    if (!act || OWN_KEYS.some(isOwn)) return;
    event.preventDefault();
    act();
  };
}
