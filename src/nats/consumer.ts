import type { Consumer, JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { ID_HEADER, REPLAYS_HEADER, TYPE_HEADER } from "../transport/transport.js";
import type { DeadLetterReason, Frame, Listener, Start, StoredDelivery } from "../transport/transport.js";
import { parseStoredAddress } from "../transport/address.js";
import { wait, type Connection } from "./connection.js";
import { addressOf, fromMsgHeaders } from "./subjects.js";

/**
 * The longest that a pull request stays at the server. Closing waits for its end, because what the server sends to
 * it is ours.
 */
const PULL_MS = 1_000;

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

/**
 * One durable consumer. It pulls only what can run: what was prefetched and not started could be given back to no other
 * process in time when this one closes.
 */
export class StoredConsumer implements Listener {
  readonly #connection: Connection;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #spec: ConsumerSpec;
  readonly #handler: (delivery: StoredDelivery) => Promise<void>;
  readonly #bury: (burial: Burial) => Promise<void>;
  readonly #running = new Set<JsMsg>();
  #freed: (() => void) | undefined;
  #closing = false;
  #pullEndsMs = 0;
  #loop: Promise<void> | undefined;
  readonly #keepAlive: ReturnType<typeof setInterval>;

  constructor(
    connection: Connection,
    js: JetStreamClient,
    jsm: JetStreamManager,
    spec: ConsumerSpec,
    handler: (delivery: StoredDelivery) => Promise<void>,
    bury: (burial: Burial) => Promise<void>,
  ) {
    this.#connection = connection;
    this.#js = js;
    this.#jsm = jsm;
    this.#spec = spec;
    this.#handler = handler;
    this.#bury = bury;
    this.#keepAlive = setInterval(() => {
      if (connection.connected) for (const msg of this.#running) msg.working();
    }, spec.ackWaitMs / 3);
  }

  async start(): Promise<void> {
    const consumer = await this.#make();
    this.#loop = this.#pull(consumer);
  }

  /** Makes the durable consumer, or takes the one that is there. */
  async #make(): Promise<Consumer> {
    const { stream, filter, ackWaitMs, start, ordered } = this.#spec;
    // The server formats its acknowledgement subjects by the name of the consumer, where a % would be a verb.
    const durable = this.#spec.durable.replaceAll("%", "=");
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
        this.#pullEndsMs = performance.now() + PULL_MS;
        const messages = await current.fetch({ max_messages: Math.min(free, 256), expires: PULL_MS });
        try {
          for await (const msg of messages) this.#take(msg);
        } finally {
          // The client's timers of a pull that failed would keep the process alive.
          messages.stop();
        }
      } catch {
        // The server restarts, the leader moves, or the consumer was deleted: make it again.
        await wait(100);
        if (this.#closing || this.#connection.closed) return;
        current = await this.#make().catch(() => current);
      }
    }
  }

  #take(msg: JsMsg): void {
    const { prefix, types, group } = this.#spec;
    // Given back for when the last pull has ended, because the server would send it to that pull again.
    if (this.#closing) return msg.nak(Math.max(1, this.#pullEndsMs - performance.now()));
    const { type } = parseStoredAddress(addressOf(prefix, msg.subject));
    if (!types.has(type)) {
      msg.ack();
      return;
    }
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
        // A delay of 0 is "at once" only if it is left out.
        if (delayMs > 0) msg.nak(delayMs);
        else msg.nak();
      },
      dead: async (reason, detail) => {
        await this.#bury({
          frame,
          address: addressOf(prefix, msg.subject),
          reason,
          detail,
          attempts: attempt,
          group,
          sequence: msg.seq,
          messageId: decodeURIComponent(frame.headers[ID_HEADER] ?? ""),
          messageType: decodeURIComponent(frame.headers[TYPE_HEADER] ?? type),
          replayCount: Number(frame.headers[REPLAYS_HEADER] ?? 0),
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

  /** Acknowledges until the server confirms it, because a lost acknowledgement would run the message again. */
  async #confirmed(msg: JsMsg): Promise<void> {
    const end = performance.now() + Math.max(this.#spec.ackWaitMs, 10_000);
    while (performance.now() < end && !this.#connection.closed) {
      if (!(await this.#connection.connectedWithin(end - performance.now()))) break;
      if (await msg.ackAck({ timeout: 2_000 }).catch(() => false)) return;
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
