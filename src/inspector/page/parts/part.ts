import { type Actions } from "../model/actions.js";
import { type Filter } from "../model/filter.js";
import { type Store } from "../model/store.js";
import { type Ui } from "../model/ui.js";
import { type Theme } from "../theme.js";

/** The data that every part of the view works on. */
export interface Context {
  readonly store: Store;
  readonly ui: Ui;
  readonly filter: Filter;
  readonly actions: Actions;
  readonly theme: Theme;
  /** Reports if the view is too narrow for columns side by side. */
  readonly isCompact: () => boolean;
}

/** A part of the view: an element, and how it is brought up to date. */
export interface Part {
  readonly element: HTMLElement;
  update(): void;
}
