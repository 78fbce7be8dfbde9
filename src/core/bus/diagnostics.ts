import { FULFILLED, type LiveDelivery } from "../delivery/live-delivery.js";
import { SEND } from "../handlers/check-kind.js";
import type { Envelope } from "../messages/envelope.js";
import type { MessageKind } from "../messages/message.js";

/**
 * The object that subscribers of `node:diagnostics_channel` receive about a message, the same one from its start
 * to its end.
 *
 * The channels are `tracing:cqrx:dispatch:*`, `tracing:cqrx:ask:*` and `tracing:cqrx:publish:*`, as a
 * `TracingChannel` has them: `start` and `end` around the synchronous part, `asyncStart` and `asyncEnd` when the
 * message is settled later, and `error` before them when it fails.
 *
 * Guarantees: each message that a bus has accepted while a channel had a subscriber has one `start` and one
 * `end`. Node reports an error of a subscriber as an uncaught exception, and the message goes on.
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
  /** The value, once a query is fulfilled. */
  result?: unknown;
  /** The reason, once the message is rejected. */
  error?: unknown;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: DiagnosedMessage): void;
  /** Publishes, and runs a function inside the stores that subscribers have bound to the channel. */
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

// Not an import, because the core also runs outside Node.
const diagnostics = (
  globalThis as {
    process?: { getBuiltinModule?(id: "node:diagnostics_channel"): DiagnosticsChannel | undefined };
  }
).process?.getBuiltinModule?.("node:diagnostics_channel");

/**
 * Returns the channel of a kind of bus, which all buses and copies of the library share by its name. `undefined`
 * outside Node.
 */
export function channelOf(kind: MessageKind): TracingChannel | undefined {
  return diagnostics?.tracingChannel(`cqrx:${SEND[kind]}`);
}

/**
 * Returns whether a channel has subscribers. Asks each part, because early versions of Node 20 lack
 * `hasSubscribers` of the whole.
 */
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
  const message: DiagnosedMessage = {
    bus: delivery.host.name,
    messageType: delivery.typeName,
    get envelope() {
      return delivery.envelope;
    },
  };
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
    // Add the hook after the start is published, because a delivery that is cancelled already settles here.
    delivery.whenSettled(settled);
    start(delivery);
  });
  running = false;
  channel.end.publish(message);
}
