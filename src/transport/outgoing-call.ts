import { PayloadTooLargeError, type CqrsError } from "../core/errors.js";
import { startTimer } from "../core/util/timers.js";
import { DEAD_AFTER_BEATS, type Beating } from "./beats.js";
import { sizeOf, textOf, valueOf } from "./call-frames.js";
import { LinkClosedError, NotSentError, OutcomeUnknownError, RemoteError } from "./errors.js";
import type { LinkContext } from "./link-context.js";
import type { Frame, OutgoingCall as TransportCall } from "./transport.js";

export interface CallSpec {
  readonly address: string;
  readonly type: string;
  readonly id: string;
  readonly frame: Frame;
  /** The limit for the first value or the end. */
  readonly timeoutMs: number;
  /** How many values were allowed at the start; 0 for a call with one result. */
  readonly credit: number;
}

export interface CallObserver {
  next(value: unknown): void;
  complete(): void;
  error(error: unknown): void;
}

/** A call from this process: ends exactly once, by a last frame, a time limit, silence, or a closed link. */
export class OutgoingCall implements Beating {
  readonly #link: LinkContext;
  readonly #spec: CallSpec;
  readonly #observer: CallObserver;
  readonly #stopTimer: () => void;
  #call: TransportCall | undefined;
  #sent = false;
  #ended = false;
  /** Beats since the last sign of life, or since the call was sent. */
  #silence = 0;
  /** The other side can be told, because it has sent a frame. */
  #reachable = false;
  #taken = 0;
  #values = 0;

  constructor(link: LinkContext, spec: CallSpec, observer: CallObserver) {
    this.#link = link;
    this.#spec = spec;
    this.#observer = observer;
    this.#stopTimer = startTimer(spec.timeoutMs, () => this.#timeOut(), { keepAlive: true });
    link.calls.add(this);
    link.beats.add(this);
    const { maxBytes } = link.transport.features;
    const size = sizeOf(spec.frame);
    if (link.closed) this.#fail(new LinkClosedError(spec.type));
    else if (size > maxBytes)
      this.#fail(new PayloadTooLargeError(spec.type, size, maxBytes, { messageType: spec.type }));
    else this.#send();
  }

  #send(): void {
    const { address, frame, type } = this.#spec;
    const call = this.#link.transport.call(address, frame, {
      type,
      sent: () => {
        this.#sent = true;
        this.#silence = 0;
      },
      frame: (reply) => this.#received(reply),
      error: (error) => this.#fail(error),
    });
    // A call that ended synchronously is not kept.
    if (this.#ended) call.cancel();
    else this.#call = call;
  }

  #received(frame: Frame): void {
    if (this.#ended) return;
    this.#reachable = true;
    this.#silence = 0;
    try {
      const text = textOf(frame);
      switch (text[0]) {
        case "v":
          this.#observer.next(this.#end(valueOf(text)));
          return this.#observer.complete();
        case "n":
          this.#values++;
          this.#stopTimer();
          this.#observer.next(valueOf(text));
          return this.#took();
        case "d":
          if (this.#misses(text)) return;
          this.#end();
          return this.#observer.complete();
        case "e":
          return this.#fail(this.#link.errors.read(text.slice(1), this.#spec.type));
        case "b":
          return void this.#misses(text);
        default: // A letter of a later version.
          return;
      }
    } catch (cause) {
      const { type } = this.#spec;
      this.cancel();
      this.#observer.error(
        new RemoteError("a reply that cannot be read", undefined, { messageType: type, cause }),
      );
    }
  }

  /** Ends the call if a value was lost with a connection: the stream would have a gap, or wait for credit for ever. */
  #misses(text: string): boolean {
    if (text.length === 1 || Number(text.slice(1)) === this.#values) return false;
    this.#lose("a value of its stream was lost with a connection");
    return true;
  }

  /** Gives credit back when half of it is used, so that a stream neither stops nor needs a frame for each value. */
  #took(): void {
    if (this.#ended || ++this.#taken < this.#spec.credit / 2) return;
    this.#call?.credit(this.#taken);
    this.#taken = 0;
  }

  beat(): void {
    if (!this.#sent) return;
    if (this.#silence++ >= DEAD_AFTER_BEATS) return this.#lose("its process has gone silent");
    if (this.#reachable) this.#call?.credit(0);
  }

  #timeOut(): void {
    this.#lose(`no result came within ${this.#spec.timeoutMs} ms`);
  }

  #lose(why: string): void {
    const { type, id } = this.#spec;
    const error = this.#sent
      ? new OutcomeUnknownError(type, id, why)
      : new NotSentError(type, "there was no connection within its time limit");
    this.cancel();
    this.#observer.error(error);
  }

  /** Ends the call because its link is closed. */
  close(): void {
    const { type, id } = this.#spec;
    const error: CqrsError = this.#sent
      ? new OutcomeUnknownError(type, id, "the link was closed")
      : new LinkClosedError(type);
    this.cancel();
    this.#observer.error(error);
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#end();
    this.#observer.error(error);
  }

  #end<T>(value?: T): T | undefined {
    this.#ended = true;
    this.#stopTimer();
    this.#link.calls.delete(this);
    this.#link.beats.delete(this);
    return value;
  }

  /** Stops waiting, and tells the other side. */
  cancel(): void {
    if (this.#ended) return;
    this.#end();
    this.#call?.cancel();
  }
}
