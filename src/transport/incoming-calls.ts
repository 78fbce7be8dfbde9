import { defer, type Subscription } from "rxjs";
import { abortError } from "../core/delivery/abort.js";
import { markCrossing } from "../core/delivery/crossing.js";
import type { ReplyForm } from "../core/delivery/delivery.js";
import { PayloadTooLargeError, refuse } from "../core/errors.js";
import { Envelope } from "../core/messages/envelope-reader.js";
import type { MessageKind, MessageType } from "../core/messages/message.js";
import { DEAD_AFTER_BEATS, type Beating } from "./beats.js";
import { parseCall, sizeOf, textFrame, valueFrame } from "./call-frames.js";
import { SlowConsumerError } from "./errors.js";
import type { LinkContext } from "./link-context.js";
import { run, stream, type LinkedBus } from "./served-bus.js";
import type { Frame, IncomingCall } from "./transport.js";

export interface AnsweringOptions {
  readonly bus: LinkedBus;
  readonly kind: MessageKind;
  readonly concurrency: number;
}

/** Answers the calls of several types, at most `concurrency` at a time; the others wait in order of arrival. */
export class IncomingCalls {
  readonly #link: LinkContext;
  readonly #options: AnsweringOptions;
  readonly #waiting = new Set<Answer>();
  readonly #running = new Set<Answer>();
  #idle: (() => void)[] = [];
  #starting = false;

  constructor(link: LinkContext, options: AnsweringOptions) {
    this.#link = link;
    this.#options = options;
  }

  get pending(): number {
    return this.#waiting.size + this.#running.size;
  }

  /** Takes a call. A call that cannot be read is answered with the reason. */
  take(call: IncomingCall, type: MessageType): void {
    const link = this.#link;
    let envelope: Envelope;
    let reply: ReplyForm;
    let credit: number;
    try {
      const parsed = parseCall(call.frame);
      ({ reply, credit } = parsed.head);
      if (reply !== "one" && this.#options.kind !== "query") refuse("call.reply", "is for queries");
      envelope = Envelope.fromJSON(parsed.envelope, type);
    } catch (error) {
      call.reply(textFrame(`e${link.errors.write(error)}`), true);
      return;
    }
    link.incoming.add(envelope);
    markCrossing(envelope, "call");
    const answer = new Answer(link, this.#options, call, envelope, reply, credit, () => this.#ended(answer));
    this.#waiting.add(answer);
    this.#startNext();
  }

  #startNext(): void {
    // An answer that ends while it starts calls this again; the loop that runs takes the next one, without recursion.
    if (this.#starting) return;
    this.#starting = true;
    for (const answer of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) break;
      this.#waiting.delete(answer);
      this.#running.add(answer);
      answer.start();
    }
    this.#starting = false;
  }

  #ended(answer: Answer): void {
    this.#waiting.delete(answer);
    this.#running.delete(answer);
    this.#startNext();
    if (this.pending > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  idle(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : new Promise((resolve) => void this.#idle.push(resolve));
  }

  /** Ends streams, which have no end of their own; callers of live queries ask another process. */
  endStreams(): void {
    for (const answer of [...this.#waiting, ...this.#running]) answer.endStream();
  }

  /** Aborts what has not ended, and returns the ids. */
  abort(reason: unknown): string[] {
    const left = [...this.#running, ...this.#waiting];
    // Not started by the end of another one.
    this.#waiting.clear();
    for (const answer of left) answer.fail(reason);
    return left.map(({ id }) => id);
  }
}

/** One call, from its arrival to its last frame. */
class Answer implements Beating {
  readonly #link: LinkContext;
  readonly #options: AnsweringOptions;
  readonly #call: IncomingCall;
  readonly #envelope: Envelope;
  readonly #reply: ReplyForm;
  readonly #ended: () => void;
  readonly #controller = new AbortController();
  readonly #buffer: unknown[] = [];
  #subscription: Subscription | undefined;
  #credit: number;
  /** How many values were sent; the caller compares, because one may be lost with a connection. */
  #values = 0;
  #over = false;
  /** The end of a stream that still has values in the buffer. */
  #last: Frame | undefined;
  /** Beats since the last sign of life of the caller. */
  #silence = 0;

  constructor(
    link: LinkContext,
    options: AnsweringOptions,
    call: IncomingCall,
    envelope: Envelope,
    reply: ReplyForm,
    credit: number,
    ended: () => void,
  ) {
    this.#link = link;
    this.#options = options;
    this.#call = call;
    this.#envelope = envelope;
    this.#reply = reply;
    this.#credit = credit;
    this.#ended = ended;
    link.beats.add(this);
    call.onCancel(() => this.#stop(abortError(`The caller of ${this.#typeName} no longer waits for it.`)));
    call.onCredit((count) => {
      this.#silence = 0;
      this.#credit += count;
      if (count > 0) this.#flush();
    });
  }

  get id(): string {
    return this.#envelope.meta.id;
  }

  get #typeName(): string {
    return this.#envelope.meta.name;
  }

  start(): void {
    if (this.#over) return;
    const { bus, kind } = this.#options;
    if (this.#reply === "one") {
      void run(bus, kind, this.#envelope, { signal: this.#controller.signal }).then(
        (value) => this.#send(() => valueFrame("v", value), true),
        (error: unknown) => this.fail(error),
      );
      return;
    }
    const subscription = defer(() => stream(bus, this.#envelope, this.#reply === "live")).subscribe({
      next: (value) => this.#emit(value),
      error: (error: unknown) => this.fail(error),
      complete: () => this.#complete(),
    });
    if (this.#over) subscription.unsubscribe();
    else this.#subscription = subscription;
  }

  #emit(value: unknown): void {
    if (this.#over) return;
    // A live query shows its latest state; the states in between are skipped.
    if (this.#reply === "live") this.#buffer.length = 0;
    this.#buffer.push(value);
    this.#flush();
    if (this.#buffer.length > this.#link.streamBuffer)
      this.fail(new SlowConsumerError(this.#typeName, this.#link.streamBuffer));
  }

  #flush(): void {
    while (this.#credit > 0 && this.#buffer.length > 0 && !this.#over) {
      this.#credit--;
      this.#values++;
      const value = this.#buffer.shift();
      this.#send(() => valueFrame("n", value), false);
    }
    if (this.#last !== undefined && this.#buffer.length === 0) this.#end(this.#last);
  }

  #complete(): void {
    this.#last = textFrame(`d${this.#values + this.#buffer.length}`);
    this.#flush();
  }

  endStream(): void {
    if (this.#reply !== "one") this.#end(textFrame(`d${this.#values}`));
  }

  beat(): void {
    if (this.#silence++ >= DEAD_AFTER_BEATS)
      return this.#stop(abortError(`The caller of ${this.#typeName} has gone silent.`));
    this.#call.reply(textFrame(`b${this.#values}`), false);
  }

  fail(error: unknown): void {
    this.#end(textFrame(`e${this.#link.errors.write(error)}`), error);
  }

  /** Sends a value; one that cannot be written, or is too large, is sent as an error. */
  #send(write: () => Frame, last: boolean): void {
    if (this.#over) return;
    try {
      const frame = write();
      const { maxBytes } = this.#link.transport.features;
      const size = sizeOf(frame);
      if (size > maxBytes)
        throw new PayloadTooLargeError(`The result of ${this.#typeName}`, size, maxBytes, {
          messageType: this.#typeName,
        });
      if (last) this.#end(frame);
      else this.#call.reply(frame, false);
    } catch (error) {
      this.fail(error);
    }
  }

  #end(frame: Frame, reason?: unknown): void {
    if (this.#over) return;
    this.#call.reply(frame, true);
    this.#stop(reason);
  }

  #stop(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#link.beats.delete(this);
    if (reason !== undefined) this.#controller.abort(reason);
    this.#subscription?.unsubscribe();
    this.#ended();
  }
}
