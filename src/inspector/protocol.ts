/**
 * The contract between the recorder and the page: types only, so that the page imports no code of the server.
 *
 * A listener first receives a {@link HelloFrame}, then {@link HistoryFrame}s until every kept message is told,
 * then {@link ChangesFrame}s, up to ten a second. A {@link GapFrame} comes before the first frame after a pause
 * in which frames were left out.
 *
 * Over HTTP, each frame is one server-sent event: `id: <run>-<seq>` and `data: <JSON of the frame>`. Comments (`:
 * ping`) keep the connection alive. A page that reconnects sends the last id in the header `Last-Event-ID`: it
 * receives the changes since then if the run is the same, and a new `hello` otherwise. The page requests `feed`
 * and `export` below the path of the page (`/inspector` → `/inspector/feed`).
 */

/** The kind of a message, which is the kind of its bus. */
export type InspectedKind = "command" | "query" | "event";

/** The state of a message: `open` while it is in flight. */
export type InspectedState = "open" | "fulfilled" | "rejected" | "cancelled";

/** An error as text. Every text is bounded. */
export interface InspectedError {
  readonly name: string;
  readonly message: string;
  /** The stable code of an error of this library, or of Node. */
  readonly code?: string;
  readonly stack?: string;
}

/**
 * The record of a message that was kept. It holds plain text and numbers only.
 *
 * `payload`, `result` and `headers` are JSON texts that `JSON.parse` always accepts: parts that were left out are
 * marked inside as strings, such as `"[Redacted]"`, `"[Circular]"` or `"… 12 more"`.
 */
export interface InspectedMessage {
  /** Number of the record, ascending in the order of keeping; the key of the record in a run. */
  readonly order: number;
  readonly kind: InspectedKind;
  /** Name of the message's type. */
  readonly name: string;
  /** Name of the part in `inspect({ name: bus })`, or of the bus. */
  readonly bus: string;
  readonly id: string;
  readonly correlationId: string;
  readonly causationId?: string;
  /** Time of acceptance: milliseconds since the epoch, with fractions that order messages of one millisecond. */
  readonly time: number;
  readonly state: InspectedState;
  /**
   * From acceptance to settlement, in milliseconds; absent while open, and for messages whose acceptance was not
   * observed.
   */
  readonly durationMs?: number;
  readonly attempts: number;
  readonly payload?: string;
  /** The value of a fulfilled query. */
  readonly result?: string;
  /** Absent without headers. */
  readonly headers?: string;
  readonly error?: InspectedError;
}

/** The end of a message whose record the listener already has. */
export interface InspectedSettlement {
  readonly order: number;
  readonly state: Exclude<InspectedState, "open">;
  readonly durationMs?: number;
  readonly attempts: number;
  readonly result?: string;
  readonly error?: InspectedError;
}

/**
 * Messages of one second: `[epoch second, accepted, fulfilled, rejected, cancelled]`. Counts all messages, also
 * those not kept.
 */
export type SeriesPoint = readonly [
  second: number,
  accepted: number,
  fulfilled: number,
  rejected: number,
  cancelled: number,
];

/**
 * Figures of a message type on one bus, of all its messages since attaching. Each frame carries the whole of a
 * changed type.
 */
export interface TypeFigures {
  readonly kind: InspectedKind;
  readonly name: string;
  readonly bus: string;
  readonly accepted: number;
  readonly fulfilled: number;
  readonly rejected: number;
  readonly cancelled: number;
  readonly inFlight: number;
  /** How many were kept, so that the page can show the share it draws. */
  readonly kept: number;
  /** Messages a second over the last five to ten seconds. */
  readonly rate: number;
  /**
   * Percentiles of the durations of the last five to ten seconds, in milliseconds; absent without a settled
   * message in that time.
   */
  readonly p50?: number;
  readonly p99?: number;
  /**
   * Seconds that a listener may lack, oldest first; a second that it knows is replaced. A hello has the last 60
   * s. Seconds without messages are left out.
   */
  readonly series: readonly SeriesPoint[];
}

/** Totals over all buses since attaching. */
export interface InspectedCounts {
  readonly accepted: number;
  readonly fulfilled: number;
  readonly rejected: number;
  readonly cancelled: number;
  /** Messages that were kept since attaching; the ring may have dropped the oldest. */
  readonly kept: number;
  /** In flight on all buses now, those accepted before attaching included. */
  readonly inFlight: number;
  /** Bytes of text in the ring. */
  readonly bytes: number;
  /** Pages connected to the feed. */
  readonly clients: number;
}

/** An emission of `faults$`. */
export interface InspectedFault {
  /** Ascending, shared with refusals. */
  readonly order: number;
  readonly time: number;
  readonly bus: string;
  /** As in `Fault`, such as `observer` or `handler`. */
  readonly kind: string;
  readonly source: string;
  /** Name and id of the message that it concerns. */
  readonly message?: { readonly name: string; readonly id: string };
  readonly error: InspectedError;
}

/** An emission of `refused$`: a message that was not let in. */
export interface InspectedRefusal {
  readonly order: number;
  readonly time: number;
  readonly bus: string;
  readonly messageType: string;
  readonly error: InspectedError;
}

/**
 * Values of a middleware at this moment, such as `running` and `waiting` of `overlap`, or `hits` and `misses` of
 * `caching`.
 */
export interface DescribedGauges {
  readonly middleware: string;
  readonly values: { readonly [name: string]: number };
}

/** The parts of a bus's `describe()` that the page shows; optional ones depend on the kind of the bus. */
export interface DescribedBus {
  readonly name: string;
  readonly kind: InspectedKind;
  /** Names, outermost first. */
  readonly middleware: readonly string[];
  readonly handlers: readonly {
    readonly messageType: string;
    readonly handlers: readonly string[];
    /** The middleware around each of the handlers alone, in the same order. */
    readonly middleware?: readonly (readonly string[])[];
  }[];
  /** Of an event bus: the middleware around each of its handlers. */
  readonly handlerMiddleware?: readonly string[];
  readonly gauges?: readonly DescribedGauges[];
  /** Of an event bus. */
  readonly sagas?: readonly { readonly name: string; readonly state: string; readonly restarts: number }[];
  /** Of a query bus. `shared` counts the runs that the watchers of equal queries share. */
  readonly watchers?: readonly {
    readonly messageType: string;
    readonly watchers: number;
    readonly shared: number;
  }[];
  /** Of a command bus, and of an event bus. */
  readonly background?: { readonly queued: number; readonly running: number };
  readonly inFlight: number;
  readonly closed: boolean;
}

/**
 * A part given to `inspect`. `bus` is set for buses; `other` is the `describe()` of a link, feed or worker, any JSON.
 */
export interface DescribedPart {
  readonly name: string;
  readonly bus?: DescribedBus;
  readonly other?: unknown;
}

/**
 * The beginning: everything but the messages. Drop the state of an earlier run, or of the same run before a
 * restart of the connection.
 */
export interface HelloFrame {
  readonly type: "hello";
  /** Version of this protocol. */
  readonly protocol: 1;
  /** Names the recorder; another one after a restart of the process. */
  readonly run: string;
  readonly seq: number;
  /** Time of the frame: milliseconds since the epoch, by the clock of the recorder. */
  readonly time: number;
  /** When the recorder was attached. */
  readonly since: number;
  /** Records below this order have left the ring. */
  readonly oldest: number;
  /** How many records follow in `history` frames. */
  readonly history: number;
  /** Shown as the title, such as `users-api (pid 4711)`. */
  readonly title: string;
  readonly limits: { readonly capacity: number; readonly maxBytes: number; readonly maxPerSecond: number };
  readonly counts: InspectedCounts;
  readonly types: readonly TypeFigures[];
  readonly parts: readonly DescribedPart[];
  readonly faults: readonly InspectedFault[];
  readonly refusals: readonly InspectedRefusal[];
}

/** Records that were kept before the hello, oldest first, at most 250 a frame. */
export interface HistoryFrame {
  readonly type: "history";
  readonly run: string;
  readonly seq: number;
  readonly messages: readonly InspectedMessage[];
}

/** Changes since the frame before. Absent lists are empty. */
export interface ChangesFrame {
  readonly type: "changes";
  readonly run: string;
  readonly seq: number;
  readonly time: number;
  /**
   * Records below this order have left the ring; a listener may keep them longer, but an open one of them will not
   * be settled.
   */
  readonly oldest: number;
  readonly counts: InspectedCounts;
  /** New records, in order; those that are settled already hold their end. */
  readonly accepted?: readonly InspectedMessage[];
  readonly settled?: readonly InspectedSettlement[];
  /** Types with new figures. */
  readonly types?: readonly TypeFigures[];
  /** All parts, if any has changed; looked at once a second. */
  readonly parts?: readonly DescribedPart[];
  readonly faults?: readonly InspectedFault[];
  readonly refusals?: readonly InspectedRefusal[];
}

/**
 * Frames were left out because the listener did not read fast enough. The next frame holds all changes since the
 * last one that was sent, except records that have left the ring meanwhile.
 */
export interface GapFrame {
  readonly type: "gap";
  readonly run: string;
  readonly seq: number;
  /** How many frames were left out. */
  readonly frames: number;
}

export type Frame = HelloFrame | HistoryFrame | ChangesFrame | GapFrame;

/**
 * A recording, as `toHTML()` embeds it: `<script type="application/json" id="cqrx-recording">` with `<` written as
 * `\u003c`.
 */
export interface Recording {
  readonly hello: HelloFrame;
  readonly messages: readonly InspectedMessage[];
}

/** The state of a connection, for the page's `role=status`. */
export type FeedState =
  "connecting" | "live" | "lost" | "unauthorized" | "unavailable" | "recording" | "closed";

/**
 * The source of a view's frames: the feed, a recorder in the same page, or a recording.
 *
 * @returns a function that ends the subscription
 */
export type FrameSource = (
  onFrame: (frame: Frame) => void,
  onState?: (state: FeedState) => void,
) => () => void;

/**
 * The page's own promise to the server side: `src/inspector/page/view.ts` exports `createView` of this type. It
 * renders into a shadow root of `host`. `src/inspector/page/main.ts` is the script of the served page: it takes
 * the recording in the document, or reads the feed.
 */
export type CreateView = (
  host: HTMLElement,
  source: FrameSource,
  options?: { readonly exportLines?: () => string | Promise<string>; readonly onClose?: () => void },
) => { destroy(): void };
