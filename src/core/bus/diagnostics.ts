import { FULFILLED, type LiveDelivery } from "../delivery/live-delivery.js";
import type { Envelope } from "../messages/envelope.js";
import type { MessageKind } from "../messages/message.js";

/**
 * What subscribers of `node:diagnostics_channel` get about a message: one object from its start to its end.
 *
 * The channels are `tracing:cqrx:dispatch:*`, `tracing:cqrx:ask:*` and `tracing:cqrx:publish:*`, as a `TracingChannel` has them: `start` and `end`
 * around what runs synchronously, `asyncStart` and `asyncEnd` when the message is settled later, and `error` before them when it fails.
 *
 * Guarantees: each message that a bus has accepted while a channel had a subscriber has one `start` and one `end`; what subscribers throw is
 * Node's to report, as an uncaught exception, and does not change the message.
 *
 * @example
 * tracingChannel("cqrx:dispatch").subscribe({
 *   error: ({ messageType, error }: DiagnosedMessage) => metrics.failed(messageType, error),
 *   ...
 * });
 */
export interface DiagnosedMessage {
  /** The name of the bus. */
  readonly bus: string;
  /** The name of the message's type. */
  readonly messageType: string;
  /** Made when it is first read. */
  readonly envelope: Envelope;
  /** The value, once the message is fulfilled; commands and events have none. */
  result?: unknown;
  /** The reason, once the message is rejected. */
  error?: unknown;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: DiagnosedMessage): void;
  /** Publishes, and runs a function within the stores that subscribers have bound to the channel. */
  runStores(message: DiagnosedMessage, run: () => void): void;
}

interface TracingChannel {
  readonly start: Channel;
  readonly end: Channel;
  readonly asyncStart: Channel;
  readonly asyncEnd: Channel;
  readonly error: Channel;
}

interface DiagnosticsChannel {
  tracingChannel(name: string): TracingChannel;
}

const WORDS = { command: "dispatch", query: "ask", event: "publish" } as const;

// Not an import: the core also runs where there is no Node.
const diagnostics = (
  globalThis as {
    process?: { getBuiltinModule?(id: "node:diagnostics_channel"): DiagnosticsChannel | undefined };
  }
).process?.getBuiltinModule?.("node:diagnostics_channel");

/** The channel of a kind of bus, kept by its name: all buses and copies of the library share it. `undefined` where there is no Node. */
export function channelOf(kind: MessageKind): TracingChannel | undefined {
  return diagnostics?.tracingChannel(`cqrx:${WORDS[kind]}`);
}

/** Whether anybody listens. Not `hasSubscribers` of the whole, which Node 20 does not have from its first version on. */
export function isWatched(channel: TracingChannel | undefined): channel is TracingChannel {
  return (
    channel !== undefined &&
    (channel.start.hasSubscribers ||
      channel.end.hasSubscribers ||
      channel.asyncStart.hasSubscribers ||
      channel.asyncEnd.hasSubscribers ||
      channel.error.hasSubscribers)
  );
}

/** Starts a delivery and publishes its life to the subscribers of the channel. */
export function runDiagnosed(
  delivery: LiveDelivery,
  start: (delivery: LiveDelivery) => void,
  channel: TracingChannel,
): void {
  const message = new Diagnosed(delivery);
  let running = true;
  const settled = (): void => {
    const { status, result } = delivery;
    if (status === FULFILLED) message.result = result;
    else {
      message.error = result;
      channel.error.publish(message);
    }
    if (running) return;
    channel.asyncStart.publish(message);
    channel.asyncEnd.publish(message);
  };
  channel.start.runStores(message, () => {
    // After the start is published, because a delivery that is cancelled already settles here.
    delivery.whenSettled(settled);
    start(delivery);
  });
  running = false;
  channel.end.publish(message);
}

class Diagnosed implements DiagnosedMessage {
  readonly bus: string;
  readonly #delivery: LiveDelivery;
  declare result?: unknown;
  declare error?: unknown;

  constructor(delivery: LiveDelivery) {
    this.bus = delivery.host.name;
    this.#delivery = delivery;
  }

  get messageType(): string {
    return this.#delivery.typeName;
  }

  get envelope(): Envelope {
    return this.#delivery.envelope;
  }
}
