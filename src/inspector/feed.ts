import { reportUnhandled } from "../core/util/report-unhandled.js";
import { changesFrame, helloFrame, historyFrames, type Run } from "./frames.js";
import type { ChangesFrame, Frame } from "./protocol.js";
import type { Recorder } from "./recorder.js";

const FRAME_MS = 100;
const FRAMES_A_SECOND = 1_000 / FRAME_MS;
/** Frames without news before a ping: five seconds. */
const PING_FRAMES = 5 * FRAMES_A_SECOND;

/** The writing side of a connection. */
export interface Pipe {
  /** Bytes that wait for the reader. */
  buffered(): number;
  write(text: string): void;
  end(): void;
}

/** A reader of the feed, and the state of all that it has received. */
interface Client {
  readonly pipe: Pipe;
  history: Iterator<Frame, unknown> | undefined;
  /** The version and the time of the last frame that it received. */
  seq: number;
  sentMs: number;
  /** Frames that were left out since. */
  leftOut: number;
  /** Frames without news since its last frame or ping. */
  quiet: number;
}

/** Makes frames for the pages and listeners, ten a second, each once for all. No timer runs without them. */
export class Feed {
  readonly #recorder: Recorder;
  readonly #run: Run;
  readonly #maxBufferedBytes: number;
  readonly #clients = new Set<Client>();
  readonly #listeners = new Set<(frame: Frame) => void>();
  #timer: ReturnType<typeof setInterval> | undefined = undefined;
  #frames = 0;
  /** The version and the time of the last frame for listeners. */
  #seq = 0;
  #sentMs = 0;

  constructor(recorder: Recorder, run: Run) {
    this.#recorder = recorder;
    this.#run = run;
    this.#maxBufferedBytes = recorder.settings.maxBufferedBytes;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /**
   * Adds a page.
   *
   * @param lastEventId - the id of the last frame that it received before it lost the connection
   * @returns a function that removes it
   */
  connect(pipe: Pipe, lastEventId: string | undefined): () => void {
    const client: Client = { pipe, history: undefined, seq: 0, sentMs: 0, leftOut: 0, quiet: 0 };
    this.#clients.add(client);
    const known = this.#seqOf(lastEventId);
    if (known === undefined) this.#begin(client);
    else client.seq = known;
    this.#tick();
    this.#start();
    return () => this.#remove(client);
  }

  /**
   * Adds a listener in this process. It receives everything that is kept at once, and changes later.
   *
   * @returns a function that removes it
   */
  subscribe(listener: (frame: Frame) => void): () => void {
    // A function of its own, so that one listener can be added twice.
    const added = (frame: Frame): void => listener(frame);
    // The others first, because the new one knows all changes until now.
    if (this.#listeners.size > 0) this.#tellListeners();
    const hello = helloFrame(this.#recorder, this.#run, this.clients);
    this.#seq = hello.seq;
    this.#sentMs = hello.time;
    this.#tell(added, hello);
    for (const frame of historyFrames(this.#recorder.ring.toArray(), this.#run, hello.seq))
      this.#tell(added, frame);
    this.#listeners.add(added);
    this.#start();
    return () => {
      this.#listeners.delete(added);
      this.#stopIfUnused();
    };
  }

  /** Ends all connections. */
  close(): void {
    this.#listeners.clear();
    for (const client of [...this.#clients]) {
      this.#remove(client);
      client.pipe.end();
    }
    this.#stopIfUnused();
  }

  /** Returns the version of an id of this run, or `undefined` for any other text. */
  #seqOf(lastEventId: string | undefined): number | undefined {
    const prefix = `${this.#run.id}-`;
    if (!lastEventId?.startsWith(prefix)) return undefined;
    const seq = lastEventId.slice(prefix.length);
    if (!/^\d{1,16}$/.test(seq) || Number(seq) > this.#recorder.version) return undefined;
    return Number(seq);
  }

  #begin(client: Client): void {
    const hello = helloFrame(this.#recorder, this.#run, this.clients);
    client.seq = hello.seq;
    client.sentMs = hello.time;
    client.history = historyFrames(this.#recorder.ring.toArray(), this.#run, hello.seq);
    client.pipe.write(eventOf(hello));
  }

  #remove(client: Client): void {
    this.#clients.delete(client);
    this.#stopIfUnused();
  }

  #start(): void {
    this.#timer ??= setInterval(() => this.#tick(), FRAME_MS);
    (this.#timer as { unref?(): void }).unref?.();
  }

  #stopIfUnused(): void {
    if (this.#clients.size > 0 || this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #tick = (): void => {
    if (++this.#frames % FRAMES_A_SECOND === 0) this.#recorder.describeParts();
    this.#tellListeners();
    // Pages that have received the same share the text of a frame.
    const made = new Map<string, { readonly frame: ChangesFrame; readonly text: string } | undefined>();
    for (const client of [...this.#clients]) {
      try {
        this.#serve(client, made);
      } catch {
        // The connection broke while it was written to; its owner removes the client, too.
        this.#remove(client);
      }
    }
  };

  #serve(
    client: Client,
    made: Map<string, { readonly frame: ChangesFrame; readonly text: string } | undefined>,
  ): void {
    const { pipe } = client;
    while (client.history !== undefined && pipe.buffered() < this.#maxBufferedBytes / 2) {
      const { value, done } = client.history.next();
      if (done === true) client.history = undefined;
      else pipe.write(eventOf(value));
    }
    if (client.history !== undefined) return;
    const key = `${client.seq} ${client.sentMs}`;
    if (!made.has(key)) {
      const frame = this.#changesSince(client.seq, client.sentMs);
      made.set(key, frame && { frame, text: eventOf(frame) });
    }
    const news = made.get(key);
    if (news === undefined) {
      if (++client.quiet >= PING_FRAMES && pipe.buffered() === 0) {
        client.quiet = 0;
        pipe.write(": ping\n\n");
      }
      return;
    }
    const { frame, text } = news;
    // After a pause only when half of the buffer is free, because it would be full again at once.
    const limit = client.leftOut > 0 ? this.#maxBufferedBytes / 2 : this.#maxBufferedBytes;
    if (pipe.buffered() > limit) {
      client.leftOut++;
      return;
    }
    if (client.leftOut > 0)
      pipe.write(eventOf({ type: "gap", run: this.#run.id, seq: client.seq, frames: client.leftOut }));
    client.leftOut = client.quiet = 0;
    client.seq = frame.seq;
    client.sentMs = frame.time;
    pipe.write(text);
  }

  #tellListeners(): void {
    if (this.#listeners.size === 0) return;
    const frame = this.#changesSince(this.#seq, this.#sentMs);
    if (frame === undefined) return;
    this.#seq = frame.seq;
    this.#sentMs = frame.time;
    for (const listener of [...this.#listeners]) this.#tell(listener, frame);
  }

  #tell(listener: (frame: Frame) => void, frame: Frame): void {
    try {
      listener(frame);
    } catch (error) {
      reportUnhandled("inspector", error);
    }
  }

  /** Returns `undefined` if nothing has changed. */
  #changesSince(seq: number, sentMs: number): ChangesFrame | undefined {
    const frame = changesFrame(this.#recorder, this.#run, this.clients, seq, sentMs);
    return frame.seq > seq || frame.types !== undefined ? frame : undefined;
  }
}

/** Returns a frame as a server-sent event. JSON holds no line break, so that it is one event with one line of data. */
function eventOf(frame: Frame): string {
  return `id: ${frame.run}-${frame.seq}\ndata: ${JSON.stringify(frame)}\n\n`;
}
