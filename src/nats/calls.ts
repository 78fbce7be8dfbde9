import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { HandlerNotFoundError } from "../core/errors.js";
import { LinkClosedError, NotSentError } from "../transport/errors.js";
import type {
  AnswerOptions,
  CallEvents,
  Frame,
  IncomingCall,
  Listener,
  OutgoingCall,
} from "../transport/transport.js";
import type { Connection } from "./connection.js";
import { isNoResponders } from "./replies.js";
import { fromMsgHeaders, subjectOf, toMsgHeaders } from "./subjects.js";

interface Pending {
  readonly subject: string;
  readonly events: CallEvents;
  /** The subject on which the other side listens, told with its first frame. */
  control: string | undefined;
  readonly forget: () => void;
}

interface Answering {
  cancel?: () => void;
  credit?: (count: number) => void;
}

/**
 * Request and reply: all replies of a process come to one wildcard subscription, and a frame that is not the last one
 * names the subject where its sender takes credit and cancellation. Nothing more is on the fast path.
 */
export class Calls {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #inboxPrefix: string;
  readonly #inbox: string;
  readonly #control: string;
  readonly #pending = new Map<string, Pending>();
  readonly #answering = new Map<string, Answering>();
  #subscribed = false;
  #controlled = false;
  #count = 0;

  constructor(connection: Connection, prefix: string, inboxPrefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#inboxPrefix = inboxPrefix;
    const inbox = createInbox(inboxPrefix);
    connection.onRefused.add((subject, error) => this.#refused(subject, error));
    this.#inbox = `${inbox}.r`;
    this.#control = `${inbox}.c`;
  }

  call(address: string, frame: Frame, events: CallEvents): OutgoingCall {
    const { nc } = this.#connection;
    this.#subscribe();
    const id = String(++this.#count);
    const reply = `${this.#inbox}.${id}`;
    const subject = subjectOf(this.#prefix, address);
    const forget = this.#connection.whenConnected(() => {
      try {
        const headers = toMsgHeaders(frame.headers);
        nc.publish(subject, frame.body, headers === undefined ? { reply } : { reply, headers });
        events.sent();
      } catch (cause) {
        this.#pending.delete(id);
        events.error(new NotSentError(events.type, "the client refused it", cause));
      }
    });
    const pending: Pending = { subject, events, control: undefined, forget };
    this.#pending.set(id, pending);
    return {
      cancel: () => {
        forget();
        if (!this.#pending.delete(id)) return;
        this.#tell(
          pending.control ?? `${this.#prefix}.cancel`,
          pending.control === undefined ? reply : "cancel",
        );
      },
      credit: (count) => {
        if (pending.control !== undefined && this.#pending.has(id))
          this.#tell(pending.control, String(count));
      },
    };
  }

  #refused(subject: string, error: Error): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.subject !== subject) continue;
      this.#pending.delete(id);
      pending.events.error(new NotSentError(pending.events.type, "this account may not send it", error));
    }
  }

  #tell(subject: string, text: string): void {
    if (!this.#connection.closed && this.#connection.connected) this.#connection.nc.publish(subject, text);
  }

  #subscribe(): void {
    if (this.#subscribed) return;
    this.#subscribed = true;
    this.#connection.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, msg) => void (error ?? this.#received(msg)),
    });
  }

  #received(msg: Msg): void {
    const id = msg.subject.slice(this.#inbox.length + 1);
    const pending = this.#pending.get(id);
    // Late, and replies to a call that was given up.
    if (pending === undefined) return;
    if (isNoResponders(msg)) {
      this.#pending.delete(id);
      pending.events.error(
        new HandlerNotFoundError(pending.events.type, " No process that can be reached serves it."),
      );
      return;
    }
    if (msg.reply === undefined || msg.reply === "") this.#pending.delete(id);
    else if (this.#isInbox(msg.reply)) pending.control = msg.reply;
    pending.events.frame({ headers: fromMsgHeaders(msg.headers), body: msg.data });
  }

  /**
   * Returns whether a subject is one that clients listen to, because this process would publish wherever a sender
   * of frames points it, with its own permissions.
   */
  #isInbox(subject: string): boolean {
    return subject.startsWith("_INBOX") || subject.startsWith(`${this.#inboxPrefix}.`);
  }

  async answer(
    address: string,
    { group, refused }: AnswerOptions,
    handler: (call: IncomingCall) => void,
  ): Promise<Listener> {
    const { nc } = this.#connection;
    if (this.#connection.closed) throw new LinkClosedError();
    this.#listenForCancel();
    let refusal: Error | undefined;
    const subscription: Subscription = nc.subscribe(subjectOf(this.#prefix, address), {
      queue: group,
      callback: (error, msg) => {
        if (error !== null) refusal = error;
        else if (msg.reply !== undefined && this.#isInbox(msg.reply)) this.#answer(msg, handler);
        else refused?.("its reply would not go to an inbox");
      },
    });
    // Other processes can reach this one once the server knows the subscription.
    await nc.flush();
    if (refusal !== undefined)
      throw new NotSentError(`The subscription of ${address}`, "this account may not answer it", refusal);
    return {
      close: async () => {
        if (!this.#connection.closed && !subscription.isClosed())
          await subscription.drain().catch(() => undefined);
      },
    };
  }

  #answer(msg: Msg, handler: (call: IncomingCall) => void): void {
    const { nc } = this.#connection;
    const to = msg.reply!;
    const answering: Answering = {};
    const control = `${this.#control}.${to.replaceAll(".", "-")}`;
    // The reply subject is unique in the network, so that it names the call for both ways to cancel.
    this.#answering.set(to, answering);
    this.#answering.set(control, answering);
    handler({
      frame: { headers: fromMsgHeaders(msg.headers), body: msg.data },
      reply: (frame, last) => {
        if (this.#connection.closed) return;
        const headers = toMsgHeaders(frame.headers);
        nc.publish(to, frame.body, { ...(last ? {} : { reply: control }), ...(headers && { headers }) });
        if (last) {
          this.#answering.delete(to);
          this.#answering.delete(control);
        }
      },
      onCancel: (listener) => (answering.cancel = listener),
      onCredit: (listener) => (answering.credit = listener),
    });
  }

  #listenForCancel(): void {
    if (this.#controlled) return;
    this.#controlled = true;
    const cancel = (key: string): void => {
      const answering = this.#answering.get(key);
      for (const [each, value] of answering === undefined ? [] : [...this.#answering])
        if (value === answering) this.#answering.delete(each);
      answering?.cancel?.();
    };
    const { nc } = this.#connection;
    nc.subscribe(`${this.#control}.*`, {
      callback: (error, msg) => {
        if (error !== null) return;
        const text = msg.string();
        // The server says that no process listens to the replies any more.
        const left = text === "" && msg.headers?.code === 503;
        if (left || text === "cancel") cancel(msg.subject);
        else this.#answering.get(msg.subject)?.credit?.(Number(text) || 0);
      },
    });
    nc.subscribe(`${this.#prefix}.cancel`, {
      callback: (error, msg) => void (error ?? cancel(msg.string())),
    });
  }

  close(): void {
    for (const { events, forget } of this.#pending.values()) {
      forget();
      events.error(new NotSentError(events.type, "the transport was closed"));
    }
    this.#pending.clear();
  }
}
