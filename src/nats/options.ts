import type { ConnectionOptions } from "@nats-io/transport-node";
import {
  aBoolean,
  aText,
  anArray,
  check,
  checkOptions,
  either,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  type Checks,
} from "../core/checks.js";

/**
 * The options of {@link natsTransport}; those of the client, such as `tls` and `authenticator`, may be given as well.
 */
export interface NatsTransportOptions {
  /** @defaultValue "127.0.0.1:4222" */
  readonly servers?: string | string[];
  /** The start of all subjects and streams; applications of one prefix share a network. @defaultValue "cqrx" */
  readonly prefix?: string;
  /** How many servers of a cluster hold each message. Used when the streams are made. @defaultValue 1 */
  readonly replicas?: 1 | 3 | 5;
  /** Used when the streams are made. @defaultValue "file" */
  readonly storage?: "file" | "memory";
  /** How long an id is recognised, in milliseconds. Used when the streams are made. @defaultValue 120_000 */
  readonly dedupeWindowMs?: number;
  /** How long to wait for the first connection, in milliseconds. @defaultValue 5_000 */
  readonly connectTimeoutMs?: number;
  /**
   * How long events and dead letters are kept, in milliseconds; 0 for ever. Used when the streams are made.
   * @defaultValue 0
   */
  readonly maxAgeMs?: number;
  /** Makes the streams if they are missing; without it, an operator has made them. @defaultValue true */
  readonly manageStreams?: boolean;
}

export interface NatsSettings extends Required<Omit<NatsTransportOptions, "servers">> {
  /** The start of reply subjects, an option of the client. */
  readonly inboxPrefix: string;
}

/**
 * The longest age that a stream is given, in milliseconds, because the server counts nanoseconds in 64 bits: 31 years.
 */
export const LONGEST_AGE_MS = 1e12;

const OPTIONS: Checks<NatsTransportOptions> = {
  servers: either(aText, anArray),
  prefix: check("a text of letters, digits, _ and -", (value) => /^[\w-]{1,64}$/.test(value as string)),
  replicas: check("1, 3 or 5", (value) => [1, 3, 5].includes(value as number)),
  storage: oneOf("file", "memory"),
  dedupeWindowMs: positiveMilliseconds,
  connectTimeoutMs: positiveMilliseconds,
  maxAgeMs: milliseconds,
  manageStreams: aBoolean,
};

/** Splits the options into ours and those of the client. @throws InvalidOptionsError */
export function readOptions(options: NatsTransportOptions & ConnectionOptions): {
  readonly settings: NatsSettings;
  readonly connection: ConnectionOptions;
} {
  const own: { -readonly [name in keyof NatsTransportOptions]: NatsTransportOptions[name] } = {};
  const connection: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(OPTIONS, name)) Object.assign(own, { [name]: value as unknown });
    if (!Object.hasOwn(OPTIONS, name) || name === "servers") connection[name] = value;
  }
  checkOptions<NatsTransportOptions>("natsTransport()", own, OPTIONS);
  return {
    settings: {
      prefix: own.prefix ?? "cqrx",
      inboxPrefix: options.inboxPrefix ?? "_INBOX",
      replicas: own.replicas ?? 1,
      storage: own.storage ?? "file",
      dedupeWindowMs: Math.min(own.dedupeWindowMs ?? 120_000, LONGEST_AGE_MS),
      connectTimeoutMs: own.connectTimeoutMs ?? 5_000,
      maxAgeMs: Math.min(own.maxAgeMs ?? 0, LONGEST_AGE_MS),
      manageStreams: own.manageStreams ?? true,
    },
    connection,
  };
}
