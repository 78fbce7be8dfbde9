import { type Clock } from "./clock.js";
import { type Entry } from "./entry.js";
import { type Filter } from "./filter.js";
import { type Store } from "./store.js";
import { extentOf } from "./tree.js";
import { type Extent, type TimeWindow, type Ui } from "./ui.js";

const MIN_SPAN_MS = 0.05;
const MAX_SPAN_MS = 600_000;
/** Room beside a conversation that is zoomed to, as a share of its duration. */
const MARGIN = 0.06;

/** Everything that a user can do, by pointer or key. */
export class Actions {
  readonly #store: Store;
  readonly #ui: Ui;
  readonly #filter: Filter;
  readonly #clock: Clock;
  readonly #changed: () => void;

  constructor(store: Store, ui: Ui, filter: Filter, clock: Clock, changed: () => void) {
    this.#store = store;
    this.#ui = ui;
    this.#filter = filter;
    this.#clock = clock;
    this.#changed = changed;
  }

  get now(): number {
    return this.#clock.now(performance.now());
  }

  get window(): TimeWindow {
    const { until, span } = this.#ui.shown;
    const to = until ?? this.now;
    return { from: to - span, to, span };
  }

  get live(): boolean {
    return this.#ui.shown.until === undefined;
  }

  get selected(): Entry | undefined {
    return this.#store.byOrder(this.#ui.selected);
  }

  pause(): void {
    if (this.live) this.#show({ until: this.now, span: this.#ui.shown.span });
  }

  /** Goes back to the present. A recording has none: it is shown whole. */
  goLive(): void {
    this.#ui.back = undefined;
    if (this.#ui.state === "recording") this.showAll();
    else this.#show({ until: undefined, span: this.#ui.liveSpan });
  }

  toggleLive(): void {
    if (this.live) this.pause();
    else this.goLive();
  }

  showAll(): void {
    const { entries, time } = this.#store;
    if (entries.length === 0) this.#show({ until: time, span: this.#ui.liveSpan });
    else this.#showWindow(extentOf(entries, time), 0.015);
  }

  setSpan(span: number): void {
    this.#ui.liveSpan = span;
    this.#show({ until: this.#ui.shown.until, span });
  }

  /** Moves the shown time by a share of its length. Time that has not come yet is not shown. */
  pan(share: number): void {
    const { to } = this.window;
    const { span } = this.#ui.shown;
    const until = to + share * span;
    if (share > 0 && (this.live || (until >= this.now && this.#ui.state !== "recording"))) {
      this.#show({ until: undefined, span });
    } else this.#show({ until, span });
  }

  /** Shows `factor` times as much time, around `at` or else around the selection, the middle, or the present while live. */
  zoom(factor: number, at?: number): void {
    const { from, to } = this.window;
    const span = Math.min(Math.max((to - from) * factor, MIN_SPAN_MS), MAX_SPAN_MS);
    if (this.live && at === undefined) {
      this.#show({ until: undefined, span });
      return;
    }
    const selected = this.selected?.message.time;
    const inside = selected !== undefined && selected > from && selected < to ? selected : undefined;
    const centre = at ?? inside ?? (from + to) / 2;
    this.#show({ until: centre + ((to - centre) * span) / (to - from), span });
  }

  lookAt(window: Extent): void {
    this.#remember();
    this.#showWindow(window, 0);
  }

  select(entry: Entry): void {
    this.#remember();
    this.#ui.selected = entry.message.order;
    const { from, to } = this.window;
    const { time } = entry.message;
    const { span } = this.#ui.shown;
    this.#show({ until: time < from || time > to ? time + span / 2 : to, span });
  }

  deselect(): void {
    if (this.#ui.selected === undefined) return;
    this.#ui.selected = undefined;
    this.#goBack();
  }

  zoomToConversation(): void {
    const { selected } = this;
    if (!selected) return;
    this.#remember();
    const conversation = this.#store.conversation(selected.message.correlationId);
    this.#showWindow(extentOf(conversation, this.now), MARGIN);
  }

  onlyThisConversation(): void {
    if (this.selected) this.setFilter(this.selected.message.correlationId);
  }

  setFilter(text: string): void {
    this.#filter.text = text;
    this.#changed();
  }

  toggleState(state: Entry["message"]["state"]): void {
    this.#filter.toggle(state);
    this.#changed();
  }

  setTab(tab: Ui["tab"]): void {
    this.#ui.tab = tab;
    this.#changed();
  }

  toggleHelp(): void {
    this.#ui.help = !this.#ui.help;
    this.#changed();
  }

  /** Selects the last failure; the one before it if a failure is selected already. */
  lastFailure(): void {
    const before = this.selected?.message.state === "rejected" ? this.selected.message.order : Infinity;
    const failures = this.#store.entries.filter(({ message }) => message.state === "rejected").reverse();
    const found = failures.find(({ message }) => message.order < before) ?? failures[0];
    if (found) this.select(found);
  }

  /** Selects the next older (`1`) or newer (`-1`) message that the filter lets through. */
  step(direction: 1 | -1): void {
    const newestFirst = this.#store.entries.filter(this.#filter.matches).reverse();
    const selected = this.#ui.selected ?? Infinity;
    const next =
      direction === 1 || selected === Infinity
        ? newestFirst.find(({ message }) => message.order < selected)
        : newestFirst.reverse().find(({ message }) => message.order > selected);
    if (next) this.select(next);
  }

  /** Undoes one thing: help, selection, zoom or pause, filter. */
  escape(): void {
    if (this.#ui.help) this.toggleHelp();
    else if (this.#ui.selected !== undefined) this.deselect();
    else if (!this.live && this.#ui.state !== "recording") this.goLive();
    else if (this.#ui.back) this.#goBack();
    else if (this.#filter.text) this.setFilter("");
  }

  #remember(): void {
    this.#ui.back ??= this.#ui.shown;
  }

  #goBack(): void {
    const { back } = this.#ui;
    this.#ui.back = undefined;
    this.#show(back ?? this.#ui.shown);
  }

  #showWindow({ from, to }: Extent, margin: number): void {
    const length = Math.max(to - from, MIN_SPAN_MS);
    const span = Math.min(length * (1 + 2 * margin), MAX_SPAN_MS);
    this.#show({ until: to + length * margin, span });
  }

  #show(shown: Ui["shown"]): void {
    this.#ui.shown = shown;
    this.#store.holding = shown.until !== undefined;
    this.#changed();
  }
}
