import type { ObservableNotification } from "rxjs";
import { equal } from "./equal.js";
import { show } from "./show.js";

/** One notification, as a TestScheduler compares it for `expectObservable`. */
export interface MarbleMessage {
  readonly frame: number;
  readonly notification: ObservableNotification<unknown>;
}

/** One subscription, as a TestScheduler compares it for `expectSubscriptions`. */
export interface MarbleSubscription {
  readonly subscribedFrame: number;
  readonly unsubscribedFrame: number;
}

/** The marbles of each frame: `a`, or `(ab|)` for several notifications. */
type Row = ReadonlyMap<number, string>;

/**
 * Describes how two runs of an Observable differ: both diagrams, one below the other, with a legend of their letters.
 */
export function observableDifference(
  expected: readonly MarbleMessage[],
  actual: readonly MarbleMessage[],
): string {
  const legend = new Legend([...expected, ...actual]);
  const rows = [rowOf(expected, legend), rowOf(actual, legend)] as const;
  return [
    firstDifference(...rows),
    "",
    ...labelled([["expected", [rows[0]]], ["actual", [rows[1]]]]), // prettier-ignore
    ...legend.lines(),
  ].join("\n");
}

/** Describes how two lists of subscriptions differ. */
export function subscriptionsDifference(
  expected: readonly MarbleSubscription[],
  actual: readonly MarbleSubscription[],
): string {
  const count = (list: readonly unknown[]): string =>
    `${list.length} subscription${list.length === 1 ? "" : "s"}`;
  return [
    expected.length === actual.length
      ? "They begin or end at different times."
      : `Expected ${count(expected)}, there ${actual.length === 1 ? "was" : "were"} ${actual.length}.`,
    "",
    ...labelled([
      ["expected", expected.map(subscriptionRow)],
      ["actual", actual.map(subscriptionRow)],
    ]),
  ].join("\n");
}

function rowOf(messages: readonly MarbleMessage[], legend: Legend): Row {
  const frames = new Map<number, string[]>();
  for (const { frame, notification } of messages)
    frames.set(frame, [...(frames.get(frame) ?? []), legend.letter(notification)]);
  return new Map(
    Array.from(frames, ([frame, letters]) => [
      frame,
      letters.length === 1 ? letters[0]! : `(${letters.join("")})`,
    ]),
  );
}

function subscriptionRow({ subscribedFrame, unsubscribedFrame }: MarbleSubscription): Row {
  if (subscribedFrame === unsubscribedFrame) return new Map([[subscribedFrame, "(^!)"]]);
  const row = new Map([[subscribedFrame, "^"]]);
  return Number.isFinite(unsubscribedFrame) ? row.set(unsubscribedFrame, "!") : row;
}

function firstDifference(expected: Row, actual: Row): string {
  for (const frame of frames([expected, actual])) {
    const [wanted = "nothing", got = "nothing"] = [expected.get(frame), actual.get(frame)];
    if (wanted !== got) return `First difference at ${frame} ms: expected ${wanted}, received ${got}.`;
  }
  return "They look the same and differ in values that are not equal.";
}

function frames(rows: readonly Row[]): number[] {
  return [...new Set(rows.flatMap((row) => [...row.keys()]))].sort((a, b) => a - b);
}

function labelled(groups: readonly (readonly [label: string, rows: readonly Row[]])[]): string[] {
  const lines = draw(groups.flatMap(([, rows]) => rows));
  return groups.flatMap(([label, rows]) =>
    rows.length === 0
      ? [`  ${label.padEnd(8)}  (none)`]
      : rows.map((_, index) => `  ${(index === 0 ? label : "").padEnd(8)}  ${lines.shift()!}`),
  );
}

/** The longest idle time that is drawn; longer ones are written as ` 90ms `. */
const LONGEST_GAP = 10;

/**
 * Draws the rows as marbles with a column for each millisecond. A time that is idle in all rows is shortened
 * in all rows.
 */
function draw(rows: readonly Row[]): string[] {
  const lines = rows.map(() => "");
  let drawnTo = 0;
  for (const { start, end } of busyTimes(rows)) {
    const gap = start - drawnTo;
    const idle = Number.isInteger(gap) && gap <= LONGEST_GAP ? "-".repeat(gap) : ` ${gap}ms `;
    rows.forEach((row, index) => (lines[index] += idle + drawTime(row, start, end)));
    drawnTo = end;
  }
  // Cut the dashes after the end of a row.
  return lines.map((line) => line.trimStart().replace(/([|#!)])-+$/, "$1"));
}

/** Returns the times at which any row has marbles. A group takes as many columns as it has characters. */
function busyTimes(rows: readonly Row[]): { readonly start: number; end: number }[] {
  const times: { readonly start: number; end: number }[] = [];
  for (const frame of frames(rows)) {
    const end = frame + Math.max(...rows.map((row) => row.get(frame)?.length ?? 1));
    const last = times.at(-1);
    if (last !== undefined && frame - last.end <= LONGEST_GAP && Number.isInteger(frame - last.end))
      last.end = Math.max(last.end, end);
    else times.push({ start: frame, end });
  }
  return times;
}

function drawTime(row: Row, start: number, end: number): string {
  let line = "";
  for (const [frame, cell] of row)
    if (frame >= start && frame < end) line = line.padEnd(frame - start, "-") + cell;
  return line.padEnd(end - start, "-");
}

/** Letters for values; equal values have the same letter in both diagrams. */
class Legend {
  readonly #entries: { readonly letter: string; readonly value: unknown }[] = [];
  readonly #errors: unknown[] = [];
  readonly #free: string[];

  constructor(messages: readonly MarbleMessage[]) {
    const taken = new Set(
      messages.map(({ notification }) => (notification.kind === "N" ? notification.value : "")),
    );
    this.#free = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter(
      (letter) => !taken.has(letter),
    );
  }

  letter(notification: ObservableNotification<unknown>): string {
    if (notification.kind === "C") return "|";
    return notification.kind === "E" ? this.#error(notification.error) : this.#value(notification.value);
  }

  #error(error: unknown): string {
    let index = this.#errors.findIndex((known) => equal(known, error));
    if (index < 0) index = this.#errors.push(error) - 1;
    return index === 0 ? "#" : `#${index + 1}`;
  }

  #value(value: unknown): string {
    if (typeof value === "string" && /^[^-()|#^!\s]$/u.test(value)) return value;
    const known = this.#entries.find((entry) => equal(entry.value, value));
    if (known !== undefined) return known.letter;
    const letter = this.#free.shift() ?? "?";
    this.#entries.push({ letter, value });
    return letter;
  }

  lines(): string[] {
    const lines = [
      ...this.#entries.map(({ letter, value }) => `  ${letter}  ${show(value)}`),
      ...this.#errors.map((error, index) => `  #${index === 0 ? " " : index + 1} ${show(error)}`),
    ];
    return lines.length === 0 ? [] : ["", ...lines];
  }
}
