import { type InspectedState } from "../../protocol.js";
import { type Clock } from "./clock.js";
import { type Entry } from "./entry.js";
import { type Filter } from "./filter.js";
import { type Store } from "./store.js";
import { extentOf } from "./tree.js";
import { type Extent, type Shown, type TabName, type TimeWindow, type Ui } from "./ui.js";

const MIN_SPAN_MS = 0.05;
const MAX_SPAN_MS = 600_000;
/** Room beside messages that are zoomed to, as a share of their duration. */
const MARGIN = 0.06;
const ALL_MARGIN = 0.015;

/** Everything that a user can do, by pointer or key. */
export interface Actions {
  readonly now: number;
  readonly window: TimeWindow;
  readonly live: boolean;
  readonly selected: Entry | undefined;
  pause(this: void): void;
  /** Goes back to the present. A recording has none: it is shown whole. */
  goLive(this: void): void;
  toggleLive(this: void): void;
  setSpan(span: number): void;
  /** Moves the shown time by a share of its length. Time that has not come yet is not shown. */
  pan(share: number): void;
  /**
   * Shows `factor` times as much time, up to the present while live. Otherwise the time under the pointer stays, which
   * is `at` as a share of the width; without a pointer that of the selection, or else the middle.
   */
  zoom(factor: number, at?: number): void;
  lookAt(extent: Extent): void;
  select(entry: Entry): void;
  deselect(this: void): void;
  zoomToConversation(this: void): void;
  onlyThisConversation(this: void): void;
  setFilter(text: string): void;
  toggleState(state: InspectedState): void;
  setTab(tab: TabName): void;
  toggleHelp(this: void): void;
  /** Selects the last failure; the one before it if a failure is selected already. */
  lastFailure(this: void): void;
  /** Selects the next older (`1`) or newer (`-1`) message that the filter lets through. */
  step(direction: 1 | -1): void;
  /** Undoes one thing: help, selection, zoom or pause, filter. */
  escape(this: void): void;
}

export function actionsOf(store: Store, ui: Ui, filter: Filter, clock: Clock, changed: () => void): Actions {
  const now = (): number => clock.now(performance.now());
  const isLive = (): boolean => ui.shown.until === undefined;
  const isRecording = (): boolean => ui.state === "recording";
  const selected = (): Entry | undefined => store.byOrder(ui.selected);
  const end = (): number => ui.shown.until ?? now();

  const show = (shown: Shown): void => {
    ui.shown = shown;
    store.holding = !isLive();
    changed();
  };
  const showExtent = ({ from, to }: Extent, margin: number): void => {
    const length = Math.max(to - from, MIN_SPAN_MS);
    show({ until: to + length * margin, span: Math.min(length * (1 + 2 * margin), MAX_SPAN_MS) });
  };
  const remember = (): void => void (ui.back ??= ui.shown);
  const goBack = (): void => {
    const { back } = ui;
    ui.back = undefined;
    show(back ?? ui.shown);
  };
  const pause = (): void => {
    if (isLive()) show({ ...ui.shown, until: now() });
  };
  const goLive = (): void => {
    ui.back = undefined;
    if (isRecording() && store.entries.length > 0)
      showExtent(extentOf(store.entries, store.time), ALL_MARGIN);
    else show({ until: isRecording() ? store.time : undefined, span: ui.liveSpan });
  };
  const select = ({ message: { order, time } }: Entry): void => {
    remember();
    ui.selected = order;
    const { span } = ui.shown;
    const to = end();
    show({ until: time < to - span || time > to ? time + span / 2 : to, span });
  };
  const selectIf = (entry: Entry | undefined): void => {
    if (entry) select(entry);
  };
  const deselect = (): void => {
    if (ui.selected === undefined) return;
    ui.selected = undefined;
    goBack();
  };
  const setFilter = (text: string): void => {
    filter.text = text;
    changed();
  };
  const toggleHelp = (): void => {
    ui.help = !ui.help;
    changed();
  };

  return {
    get now() {
      return now();
    },
    get window() {
      const [to, { span }] = [end(), ui.shown];
      return { from: to - span, to, span };
    },
    get live() {
      return isLive();
    },
    get selected() {
      return selected();
    },
    pause,
    goLive,
    toggleLive: () => (isLive() ? pause() : goLive()),
    setSpan: (span) => {
      ui.liveSpan = span;
      show({ ...ui.shown, span });
    },
    pan: (share) => {
      const { span } = ui.shown;
      const until = end() + share * span;
      const isFuture = share > 0 && until >= now() && !isRecording();
      show({ until: isFuture ? undefined : until, span });
    },
    zoom: (factor, at = 0.5) => {
      const [to, old] = [end(), ui.shown.span];
      const span = Math.min(Math.max(old * factor, MIN_SPAN_MS), MAX_SPAN_MS);
      const time = selected()?.message.time ?? NaN;
      const centre = at === 0.5 && time > to - old && time < to ? time : to - old * (1 - at);
      show({ until: isLive() ? undefined : centre + ((to - centre) * span) / old, span });
    },
    lookAt: (extent) => {
      remember();
      showExtent(extent, 0);
    },
    select,
    deselect,
    zoomToConversation: () => {
      const entry = selected();
      if (!entry) return;
      remember();
      showExtent(extentOf(store.conversation(entry.message.correlationId), now()), MARGIN);
    },
    onlyThisConversation: () => {
      const entry = selected();
      if (entry) setFilter(entry.message.correlationId);
    },
    setFilter,
    toggleState: (state) => {
      filter.toggle(state);
      changed();
    },
    setTab: (tab) => {
      ui.tab = tab;
      changed();
    },
    toggleHelp,
    lastFailure: () => {
      const failures = store.entries.filter(({ message }) => message.state === "rejected").reverse();
      const before = selected()?.message.state === "rejected" ? ui.selected! : Infinity;
      selectIf(failures.find(({ message }) => message.order < before) ?? failures[0]);
    },
    step: (direction) => {
      const shown = store.entries.filter(filter.matches);
      const order = ui.selected ?? Infinity;
      if (direction === 1 || order === Infinity) {
        selectIf(shown.reverse().find(({ message }) => message.order < order));
      } else selectIf(shown.find(({ message }) => message.order > order));
    },
    escape: () => {
      if (ui.help) toggleHelp();
      else if (ui.selected !== undefined) deselect();
      else if (!isLive() && !isRecording()) goLive();
      else if (ui.back) goBack();
      else if (filter.text) setFilter("");
    },
  };
}
