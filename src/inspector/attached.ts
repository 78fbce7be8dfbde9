import { Feed } from "./feed.js";
import { helloFrame, type Run } from "./frames.js";
import { settingsOf, type InspectOptions, type Settings } from "./options.js";
import { partsOf, type Inspected } from "./parts.js";
import type { Frame, InspectedCounts, InspectedMessage, Recording } from "./protocol.js";
import { Recorder } from "./recorder.js";
import { watchBuses } from "./watch.js";

/** An inspector as far as it works everywhere, a browser included. */
export interface LocalInspector extends Disposable {
  /** Returns the kept messages, oldest first. */
  messages(): readonly InspectedMessage[];
  /** Totals since attaching. */
  readonly counts: InspectedCounts;
  /**
   * Calls a listener with everything that is kept, at once, and then with the changes, up to ten times a second.
   *
   * @returns a function that ends it
   */
  subscribe(listener: (frame: Frame) => void): () => void;
  /** Returns the kept messages as JSON lines. */
  toJSONLines(): string;
  /** Leaves the buses, and ends every connection and server. What was kept stays readable. */
  close(): Promise<void>;
}

/** The parts of an inspector that a server needs beside. */
export interface Attached {
  readonly settings: Settings;
  readonly feed: Feed;
  readonly local: LocalInspector;
  /** False once closed, and while turned off. */
  readonly open: boolean;
  record(): Recording;
  /** Runs when the inspector is closed. */
  onClose(close: () => Promise<void>): void;
}

/** Attaches a recorder to buses. @throws InvalidOptionsError */
export function attach(buses: Inspected, options: InspectOptions): Attached {
  const settings = settingsOf(options);
  const parts = partsOf(buses);
  const recorder = new Recorder(parts, settings);
  const run: Run = { id: Math.random().toString(36).slice(2, 10), title: titleOf() };
  const feed = new Feed(recorder, run);
  const closing: (() => Promise<void>)[] = [];
  let open = settings.enabled;
  const watching = open ? watchBuses(recorder, parts) : undefined;

  const messages = (): readonly InspectedMessage[] =>
    recorder.ring.toArray().map((record) => record.toPlain());
  const close = async (): Promise<void> => {
    open = false;
    watching?.unsubscribe();
    feed.close();
    await Promise.all(closing.map((end) => end()));
  };
  return {
    settings,
    feed,
    get open() {
      return open;
    },
    record: () => ({ hello: helloFrame(recorder, run, feed.clients), messages: messages() }),
    onClose: (end) => closing.push(end),
    local: {
      messages,
      get counts() {
        return recorder.counts(feed.clients);
      },
      subscribe: (listener) => feed.subscribe(listener),
      toJSONLines: () =>
        messages()
          .map((message) => `${JSON.stringify(message)}\n`)
          .join(""),
      close,
      [Symbol.dispose]: () => void close(),
    },
  };
}

/** Returns a name of the application: that of its package and process, or the title of its page. */
function titleOf(): string {
  const { process, document } = globalThis as {
    readonly process?: {
      readonly env?: { readonly [name: string]: string | undefined };
      readonly pid?: number;
    };
    readonly document?: { readonly title: string };
  };
  if (document !== undefined) return document.title;
  const name = process?.env?.npm_package_name ?? "cqrx";
  return process?.pid === undefined ? name : `${name} (pid ${process.pid})`;
}
