import {
  jetstream,
  JetStreamApiError,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from "@nats-io/jetstream";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { headers as natsHeaders, PermissionViolationError } from "@nats-io/transport-node";
import type { Observable } from "rxjs";
import { abortOn } from "../core/delivery/abort.js";
import { LinkClosedError, NotSentError, OutcomeUnknownError } from "../transport/errors.js";
import type {
  AnswerOptions,
  AppendOptions,
  AppendResult,
  CallEvents,
  ConsumeOptions,
  DeadLetters,
  Frame,
  IncomingCall,
  LinkState,
  Listener,
  OutgoingCall,
  Start,
  StoredDelivery,
  Transport,
  TransportFeatures,
} from "../transport/transport.js";
import { Calls } from "./calls.js";
import { Connection, wait } from "./connection.js";
import { startOf, StoredConsumer } from "./consumer.js";
import { NatsDeadLetters } from "./dead-letters.js";
import { readOptions, type NatsSettings, type NatsTransportOptions } from "./options.js";
import { isNoResponders, Replies } from "./replies.js";
import { makeStreams, streamsOf } from "./streams.js";
import { durableOf, fromMsgHeaders, subjectOf, toMsgHeaders } from "./subjects.js";

/** A transport over NATS. */
export interface NatsTransport extends Transport {
  /** The connection of the client, for what is not in the seam. */
  readonly connection: NatsConnection;
}

/** Room for the headers that NATS and this transport add. */
const OVERHEAD_BYTES = 1_024;
/** How long one attempt to store a message waits for its confirmation. */
const ATTEMPT_MS = 2_000;

/**
 * Connects to NATS with JetStream, and makes the streams that are missing. The connection is made again for ever,
 * and consumers with it.
 *
 * @param options - also those of `connect` of `@nats-io/transport-node`, such as `tls` and `authenticator`
 * @throws InvalidOptionsError
 * @throws NotSentError if no server answers within `connectTimeoutMs`, if it has no JetStream, or if it does not
 * make the streams
 * @example
 * const link = new Link(await natsTransport({ servers: "nats://localhost:4222" }));
 */
export async function natsTransport(
  options: NatsTransportOptions & ConnectionOptions = {},
): Promise<NatsTransport> {
  const { settings, connection: given } = readOptions(options);
  const connection = await Connection.open(given, settings.connectTimeoutMs);
  try {
    const jsm = await jetstreamManager(connection.nc, { checkAPI: false });
    if (settings.manageStreams) await makeStreams(jsm, settings);
    return new NatsLinkTransport(connection, jsm, settings);
  } catch (cause) {
    await connection.close();
    throw new NotSentError(
      "The request to connect",
      cause instanceof JetStreamApiError
        ? `the server did not make the streams (${cause.message})`
        : "the server has no JetStream that this account may use",
      cause,
    );
  }
}

/** The answer of JetStream to a message that it was to store. */
interface StoredReply {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly description: string };
}

class NatsLinkTransport implements NatsTransport {
  readonly name = "nats";
  readonly features: TransportFeatures;
  readonly state$: Observable<LinkState>;
  readonly deadLetters: DeadLetters;
  readonly #connection: Connection;
  readonly #settings: NatsSettings;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #calls: Calls;
  readonly #replies: Replies;
  readonly #letters: NatsDeadLetters;
  readonly #consumers = new Set<StoredConsumer>();
  /** Ends what waits for the server. */
  readonly #closing = new Set<() => void>();
  #closed: Promise<void> | undefined;

  constructor(connection: Connection, jsm: JetStreamManager, settings: NatsSettings) {
    const { prefix, dedupeWindowMs } = settings;
    this.#connection = connection;
    this.#settings = settings;
    this.#jsm = jsm;
    this.#js = jetstream(connection.nc);
    this.#calls = new Calls(connection, prefix, settings.inboxPrefix);
    this.#replies = new Replies(connection, settings.inboxPrefix);
    this.state$ = connection.state.state$;
    this.features = {
      maxBytes: (connection.nc.info?.max_payload ?? 1_048_576) - OVERHEAD_BYTES,
      calls: true,
      stored: true,
      replay: true,
      order: "key",
      delayedRetry: true,
      dedupeWindowMs,
    };
    const once = { type: "A dead letter", signal: new AbortController().signal, timeoutMs: 5_000 };
    this.#letters = new NatsDeadLetters(
      jsm,
      streamsOf(prefix).dead,
      prefix,
      (subject, frame, id) => this.#store(subject, frame, { ...once, id }),
      (address, frame, id) => this.append(address, frame, { ...once, id }),
    );
    this.deadLetters = this.#letters;
  }

  get connection(): NatsConnection {
    return this.#connection.nc;
  }

  call(address: string, frame: Frame, events: CallEvents): OutgoingCall {
    return this.#calls.call(address, frame, events);
  }

  answer(address: string, options: AnswerOptions, handler: (call: IncomingCall) => void): Promise<Listener> {
    return this.#calls.answer(address, options, handler);
  }

  append(address: string, frame: Frame, options: AppendOptions): Promise<AppendResult> {
    return this.#store(subjectOf(this.#settings.prefix, address), frame, options);
  }

  /** Stores under one id until it is confirmed or the time is over: a leader may move, a server may restart. */
  async #store(
    subject: string,
    frame: Frame,
    { id, type, signal, timeoutMs }: AppendOptions,
  ): Promise<AppendResult> {
    const end = performance.now() + timeoutMs;
    const left = (): number => end - performance.now();
    let mayBeStored = false;
    let cause: unknown;
    let refusal: string | undefined;
    const headers = toMsgHeaders(frame.headers) ?? natsHeaders();
    headers.set("Nats-Msg-Id", id);
    while (left() > 0 && !this.#connection.closed && !signal.aborted) {
      if (!(await this.#connection.connectedWithin(left(), signal))) break;
      try {
        const timeout = Math.max(1, Math.min(left(), ATTEMPT_MS));
        const request = this.#replies.request(subject, frame.body, timeout, headers);
        const reply = await this.#aborted(signal, request);
        if (reply === undefined) mayBeStored = true;
        // There is no stream, or its leader moves.
        else if (isNoResponders(reply)) await this.#remakeStreams();
        else {
          const { error, seq, duplicate = false } = reply.json<StoredReply>();
          if (error === undefined) return { duplicate, position: String(seq) };
          refusal = error.description;
        }
      } catch (error) {
        cause = error;
        if (error instanceof PermissionViolationError)
          throw new NotSentError(type, "this account may not store it", error);
        mayBeStored = true;
      }
      await wait(Math.min(100, Math.max(0, left())));
    }
    if (signal.aborted) throw signal.reason;
    const why = this.#connection.closed
      ? "the transport was closed"
      : refusal !== undefined
        ? `the server refused it for ${timeoutMs} ms (${refusal})`
        : `it was not confirmed within ${timeoutMs} ms`;
    if (mayBeStored) throw new OutcomeUnknownError(type, id, why, cause);
    throw new NotSentError(type, why, cause);
  }

  /** Makes streams again that were deleted. */
  async #remakeStreams(): Promise<void> {
    if (this.#settings.manageStreams) await makeStreams(this.#jsm, this.#settings).catch(() => undefined);
  }

  /** Gives up waiting when the caller does. */
  #aborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const close = (): void => reject(new LinkClosedError());
      this.#closing.add(close);
      const forget = abortOn(signal, { cancel: reject });
      void work.then(resolve, reject).finally(() => {
        forget();
        this.#closing.delete(close);
      });
    });
  }

  async consume(
    options: ConsumeOptions,
    handler: (delivery: StoredDelivery) => Promise<void>,
  ): Promise<readonly Listener[]> {
    if (this.#connection.closed) throw new LinkClosedError();
    const { kind, types, group, concurrency, ackWaitMs, start, order, partitions } = options;
    const { prefix } = this.#settings;
    const common = {
      stream: streamsOf(prefix)[kind],
      prefix,
      types: new Set(types),
      group,
      concurrency,
      ackWaitMs,
      start,
      ordered: false,
    };
    const specs =
      kind === "command"
        ? types.map((type) => ({
            ...common,
            durable: durableOf(group, type),
            filter: subjectOf(prefix, `s.c.0.${type}`),
            // A command waits for its handler, whenever that comes.
            start: "all" as const,
          }))
        : order === "none"
          ? [{ ...common, durable: durableOf(group), filter: undefined }]
          : Array.from({ length: partitions }, (_, at) => ({
              ...common,
              durable: durableOf(group, `p${at}`),
              filter: `${prefix}.s.e.${at}.>`,
              concurrency: 1,
              ordered: true,
            }));
    return Promise.all(
      specs.map(async (spec) => {
        const consumer = new StoredConsumer(
          this.#connection,
          this.#replies,
          this.#js,
          this.#jsm,
          spec,
          handler,
          {
            bury: (burial) => this.#letters.bury(burial),
            remakeStreams: () => this.#remakeStreams(),
          },
        );
        this.#consumers.add(consumer);
        await consumer.start();
        return consumer;
      }),
    );
  }

  async read(
    { kind, start }: { readonly kind: "command" | "event"; readonly start: Start },
    frame: (frame: Frame, position: string) => void,
  ): Promise<Listener> {
    if (this.#connection.closed) throw new LinkClosedError();
    // An ordered consumer: made again by the client from where it was.
    const consumer = await this.#js.consumers.get(streamsOf(this.#settings.prefix)[kind], startOf(start));
    const messages = await consumer.consume();
    void (async () => {
      for await (const msg of messages)
        frame({ headers: fromMsgHeaders(msg.headers), body: msg.data }, String(msg.seq));
    })().catch(() => undefined);
    return { close: async () => void (await messages.close()) };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const stopped = Promise.all([...this.#consumers].map((consumer) => consumer.stop()));
    // Wait until the consumers have given back the messages that the server still sends to their last pull.
    if (this.#connection.connected) await Promise.race([stopped, wait(2_000, false)]);
    this.#calls.close();
    const closing = this.#connection.close();
    for (const end of this.#closing) end();
    await closing;
    this.#replies.close();
  }
}
