import { Kvm, type KV } from "@nats-io/kv";
import { checkOptions, check, positiveMilliseconds } from "../core/checks.js";
import type { Inbox } from "../transport/inbox.js";
import { wait } from "./connection.js";
import type { NatsTransport } from "./nats-transport.js";
import { LONGEST_AGE_MS } from "./options.js";
import { token } from "./subjects.js";

export interface NatsInboxOptions {
  /** The bucket of all processes of a group. @defaultValue "cqrx_inbox" */
  readonly bucket?: string;
  /** How long a handled message is remembered, in milliseconds. @defaultValue 86_400_000 */
  readonly windowMs?: number;
  /** How many servers of a cluster hold it. Used when the bucket is made. @defaultValue 1 */
  readonly replicas?: number;
}

const DONE = "done";
/** How long one attempt to mark a message as handled waits for its confirmation. */
const MARK_MS = 2_000;
const MARK_ATTEMPTS = 5;
/** A key of no message, because the key of a message begins with its group. */
const CLOCK = "=clock";

/** Returns whether a lease has time left, by the clock of the server, because those of processes may differ. */
async function leaseRuns(kv: KV, since: Date, leaseMs: number): Promise<boolean> {
  await kv.put(CLOCK, "");
  const now = await kv.get(CLOCK);
  return now !== null && now.created.getTime() - since.getTime() < leaseMs;
}

/**
 * Returns an inbox in a key-value bucket of NATS, shared by all processes: a message that is delivered twice, also to
 * two processes at once, has one effect.
 *
 * @throws InvalidOptionsError
 * @example
 * await link.serve(commandBus, [PlaceOrder], { inbox: await natsInbox(transport) });
 */
export async function natsInbox(transport: NatsTransport, options: NatsInboxOptions = {}): Promise<Inbox> {
  checkOptions<NatsInboxOptions>("natsInbox()", options, {
    bucket: check("a text of letters, digits, _ and -", (value) => /^[\w-]{1,64}$/.test(value as string)),
    windowMs: positiveMilliseconds,
    replicas: check("1, 3 or 5", (value) => [1, 3, 5].includes(value as number)),
  });
  const { bucket = "cqrx_inbox", windowMs = 86_400_000, replicas = 1 } = options;
  const kv: KV = await new Kvm(transport.connection).create(bucket, {
    ttl: Math.min(windowMs, LONGEST_AGE_MS),
    replicas,
    history: 1,
  });
  /** The revisions of the claims of this process, because a claim whose lease has ended may be another's by now. */
  const claims = new Map<string, number>();
  // Keys of a bucket hold fewer characters than subjects.
  const keyOf = (key: string): string => token(key).replaceAll("%", "=");

  return {
    async claim(key, leaseMs) {
      const name = keyOf(key);
      const lease = String(leaseMs);
      try {
        claims.set(key, await kv.create(name, lease));
        return "claimed";
      } catch (error) {
        const entry = await kv.get(name);
        if (entry === null) throw error;
        const value = entry.string();
        if (value === DONE) return "done";
        if (entry.operation === "PUT" && (await leaseRuns(kv, entry.created, Number(value))))
          return "running";
        try {
          // Only one of several that find a lease at its end gets it.
          claims.set(key, await kv.update(name, lease, entry.revision));
          return "claimed";
        } catch {
          return "running";
        }
      }
    },
    async done(key) {
      claims.delete(key);
      // A mark that is lost would let the message run again once the lease has ended.
      for (let attempt = 1; ; attempt++) {
        try {
          await kv.put(keyOf(key), DONE, { timeout: MARK_MS });
          return;
        } catch (error) {
          if (attempt === MARK_ATTEMPTS) throw error;
          await wait(50);
        }
      }
    },
    async release(key) {
      const revision = claims.get(key);
      claims.delete(key);
      if (revision !== undefined) await kv.delete(keyOf(key), { previousSeq: revision });
    },
  };
}
