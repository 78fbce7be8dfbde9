import type { Consumer, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { headerText, ID_HEADER, REPLAYS_HEADER, TYPE_HEADER } from "../transport/transport.js";
import type { DeadLetterReason, Frame, Listener, Start, StoredDelivery } from "../transport/transport.js";
import { parseStoredAddress } from "../transport/address.js";
import { wait, type Connection } from "./connection.js";
import { isNoResponders, type Replies } from "./replies.js";
import { addressOf, fromMsgHeaders } from "./subjects.js";

/**
 * The longest that a pull request stays at the server. Closing waits for its end, because what the server sends to
 * it is ours.
 */
const PULL_MS = 1_000;
const ACK = "+ACK";
/** How long one attempt to acknowledge waits for its confirmation. */
const ACK_MS = 2_000;

export interface ConsumerSpec {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string | undefined;
  readonly prefix: string;
  readonly types: ReadonlySet<string>;
  readonly group: string;
  readonly concurrency: number;
  readonly ackWaitMs: number;
  readonly start: Start;
  readonly ordered: boolean;
}

export interface Burial {
  readonly frame: Frame;
  readonly address: string;
  readonly reason: DeadLetterReason;
  readonly detail: string;
  readonly attempts: number;
  readonly group: string;
  readonly sequence: number;
  readonly messageId: string;
  readonly messageType: string;
  readonly replayCount: number;
}

/** The work on other streams that a consumer gives back to its transport. */
export interface StreamWork {
  bury(burial: Burial): Promise<void>;
  remakeStreams(): Promise<void>;
}

/**
 * One durable consumer. It pulls only what can run: what was prefetched and not started could be given back to no other
 * process in time when this one closes.
 */
export class StoredConsumer implements Listener {
  readonly #connection: Connection;
  readonly #replies: Replies;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #spec: ConsumerSpec;
  readonly #handler: (delivery: StoredDelivery) => Promise<void>;
  readonly #streams: StreamWork;
  readonly #running = new Set<JsMsg>();
  #freed: (() => void) | undefined;
  #closing = false;
  /** Messages that are given back once the last pull has ended; undefined afterwards. */
  #givenBack: JsMsg[] | undefined = [];
  #loop: Promise<void> | undefined;
  readonly #keepAlive: ReturnType<typeof setInterval>;

  constructor(
    connection: Connection,
    replies: Replies,
    js: JetStreamClient,
    jsm: JetStreamManager,
    spec: ConsumerSpec,
    handler: (delivery: StoredDelivery) => Promise<void>,
    streams: StreamWork,
  ) {
    this.#connection = connection;
    this.#replies = replies;
    this.#js = js;
    this.#jsm = jsm;
    this.#spec = spec;
    this.#handler = handler;
    this.#streams = streams;
    this.#keepAlive = setInterval(() => {
      if (connection.connected) for (const msg of this.#running) msg.working();
    }, spec.ackWaitMs / 3);
  }

  async start(): Promise<void> {
    const consumer = await this.#make();
    this.#loop = this.#pull(consumer).finally(() => {
      const given = this.#givenBack ?? [];
      this.#givenBack = undefined;
      for (const msg of given) msg.nak();
    });
  }

  /** Makes the durable consumer, or takes the one that is there. */
  async #make(): Promise<Consumer> {
    const { stream, durable, filter, ackWaitMs, start, ordered } = this.#spec;
    const changeable = { ack_wait: nanos(ackWaitMs), max_ack_pending: ordered ? 1 : -1 };
    try {
      await this.#jsm.consumers.info(stream, durable);
      await this.#jsm.consumers.update(stream, durable, changeable);
    } catch {
      await this.#jsm.consumers.add(stream, {
        durable_name: durable,
        ack_policy: AckPolicy.Explicit,
        // Attempts are counted by the link, because the server drops a message silently after its own limit.
        max_deliver: -1,
        ...(filter === undefined ? {} : { filter_subject: filter }),
        ...changeable,
        ...startOf(start),
      });
    }
    return this.#js.consumers.get(stream, durable);
  }

  async #pull(consumer: Consumer): Promise<void> {
    let current = consumer;
    while (!this.#closing && !this.#connection.closed) {
      const free = this.#spec.concurrency - this.#running.size;
      if (free <= 0) {
        await new Promise<void>((resolve) => (this.#freed = resolve));
        continue;
      }
      try {
        if (!(await this.#connection.connectedWithin(PULL_MS))) continue;
        const messages = await current.fetch({ max_messages: Math.min(free, 256), expires: PULL_MS });
        try {
          for await (const msg of messages) this.#take(msg);
        } finally {
          // The client's timers of a pull that failed would keep the process alive.
          messages.stop();
        }
      } catch {
        // The server restarts, the leader moves, or the consumer or its stream was deleted: make it again.
        await wait(100);
        if (this.#closing || this.#connection.closed) return;
        current = await this.#make()
          .catch(() => this.#streams.remakeStreams().then(() => this.#make()))
          .catch(() => current);
      }
    }
  }

  #take(msg: JsMsg): void {
    const { prefix, types, group } = this.#spec;
    if (this.#closing) return this.#giveBack(msg);
    const { type } = parseStoredAddress(addressOf(prefix, msg.subject));
    if (!types.has(type)) {
      msg.ack();
      return;
    }
    // While it still runs here, its signs of life came too late: it is not run beside itself. What settles the first
    // delivery settles this one, because the server knows a message by its sequence.
    if (msg.redelivered && [...this.#running].some(({ seq }) => seq === msg.seq)) return;
    const frame: Frame = { headers: fromMsgHeaders(msg.headers), body: msg.data };
    const attempt = msg.info.deliveryCount;
    const settled = (): void => void this.#running.delete(msg);
    this.#running.add(msg);
    const delivery: StoredDelivery = {
      frame,
      attempt,
      position: String(msg.seq),
      ack: async () => {
        await this.#confirmed(msg);
        settled();
      },
      // eslint-disable-next-line @typescript-eslint/require-await -- the seam is asynchronous
      retry: async (delayMs) => {
        settled();
        if (delayMs > 0) msg.nak(delayMs);
        else this.#giveBack(msg);
      },
      dead: async (reason, detail) => {
        await this.#streams.bury({
          frame,
          address: addressOf(prefix, msg.subject),
          reason,
          detail,
          attempts: attempt,
          group,
          sequence: msg.seq,
          messageId: headerText(frame, ID_HEADER),
          messageType: headerText(frame, TYPE_HEADER) || type,
          replayCount: Number(frame.headers[REPLAYS_HEADER]) || 0,
        });
        await this.#confirmed(msg);
        settled();
      },
    };
    const ended = (): void => {
      settled();
      this.#freed?.();
      this.#freed = undefined;
    };
    // A handler that rejects has not settled its message, which comes again after ackWaitMs.
    this.#handler(delivery).then(ended, ended);
  }

  /**
   * Gives a message back at once. While this consumer closes, once its last pull has ended, because the server would
   * send the message to that pull again.
   */
  #giveBack(msg: JsMsg): void {
    if (this.#closing && this.#givenBack !== undefined) this.#givenBack.push(msg);
    // Without a delay, which the server would take for a time to wait.
    else msg.nak();
  }

  /** Acknowledges until the server confirms it, because a lost acknowledgement would run the message again. */
  async #confirmed(msg: JsMsg): Promise<void> {
    // The client's type hides the subject.
    const { reply } = msg as JsMsg & { readonly reply: string };
    const end = performance.now() + Math.max(this.#spec.ackWaitMs, 10_000);
    while (performance.now() < end && !this.#connection.closed) {
      if (!(await this.#connection.connectedWithin(end - performance.now()))) break;
      try {
        // Not by `ackAck` of the client, which sends once, and gives no signs of life afterwards.
        const answer = await this.#replies.request(reply, ACK, ACK_MS);
        if (answer !== undefined && !isNoResponders(answer)) return;
      } catch {
        // The connection has closed, or this account may not acknowledge.
      }
      await wait(50);
    }
    throw new Error("The server did not confirm the acknowledgement; the message may be delivered again.");
  }

  async close(): Promise<void> {
    if (this.#closing) return this.#loop;
    this.#closing = true;
    this.#freed?.();
    await this.#loop;
  }

  /** Gives no more signs of life, and waits for the last pull. */
  async stop(): Promise<void> {
    clearInterval(this.#keepAlive);
    await this.close();
  }
}

/** Returns the setting of a consumer that starts there. */
export function startOf(start: Start): {
  deliver_policy: DeliverPolicy;
  opt_start_time?: string;
  opt_start_seq?: number;
} {
  if (start === "new") return { deliver_policy: DeliverPolicy.New };
  if (start === "all") return { deliver_policy: DeliverPolicy.All };
  return start instanceof Date
    ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: start.toISOString() }
    : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Number(start.after) + 1 };
}
