import { abortError } from "../core/delivery/abort.js";
import { markCrossing } from "../core/delivery/crossing.js";
import { excerpt, InvalidMessageError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { nameOf, versionOf, type MessageType } from "../core/messages/message.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";
import { UnrecoverableError } from "./errors.js";
import type { Inbox } from "./inbox.js";
import type { LinkContext } from "./link-context.js";
import { RareFaults } from "./rare-faults.js";
import { run, type LinkedBus } from "./served-bus.js";
import { readStored, typeNameOf } from "./stored-frames.js";
import {
  GROUP_HEADER,
  headerText,
  ID_HEADER,
  TYPE_HEADER,
  type DeadLetterReason,
  type StoredDelivery,
} from "./transport.js";

export interface StoredWorkerOptions {
  readonly bus: LinkedBus;
  readonly kind: "command" | "event";
  readonly types: ReadonlyMap<string, MessageType>;
  readonly group: string;
  readonly maxAttempts: number;
  readonly backoffMs: readonly number[];
  readonly inbox: Inbox | undefined;
  readonly leaseMs: number;
  readonly unknown: "dead-letter" | "retry";
}

/** A message is given up after this many deliveries for each attempt, settled or not. */
const GIVEN_UP_AFTER = 10;
/** The wait before a message is tried again whose dead letter was refused, or whose inbox cannot be reached. */
const STORE_RETRY_MS = 5_000;

/** Handles stored messages: one effect for each id as far as the inbox goes, attempts, back-off, dead letters. */
export class StoredWorker {
  readonly #link: LinkContext;
  readonly #options: StoredWorkerOptions;
  readonly #faults: RareFaults;
  readonly #running = new Map<AbortController, string>();
  #idle: (() => void)[] = [];
  #closing = false;

  constructor(link: LinkContext, options: StoredWorkerOptions) {
    this.#link = link;
    this.#options = options;
    this.#faults = new RareFaults(options.bus);
  }

  get pending(): number {
    return this.#running.size;
  }

  /** Messages that arrive from now on are given back. */
  close(): void {
    this.#closing = true;
  }

  idle(): Promise<void> {
    return this.#running.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => void this.#idle.push(resolve));
  }

  /** Aborts what has not ended, and returns the ids. */
  abort(): string[] {
    const ids = [...this.#running.values()];
    for (const controller of this.#running.keys()) controller.abort(abortError("The link is closing."));
    return ids;
  }

  /** Handles a delivery and settles it. Never rejects. */
  async handle(delivery: StoredDelivery): Promise<void> {
    const controller = new AbortController();
    this.#running.set(controller, headerText(delivery.frame, ID_HEADER) || delivery.position);
    try {
      if (this.#closing) await delivery.retry(0);
      else await this.#handle(delivery, controller.signal);
    } catch (error) {
      // The connection is gone: the message is delivered again once its ackWait has passed.
      this.#report(delivery, error);
    } finally {
      this.#running.delete(controller);
      if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  async #handle(delivery: StoredDelivery, signal: AbortSignal): Promise<void> {
    const { group, inbox, leaseMs } = this.#options;
    // A dead letter is replayed for its own group only.
    const addressee = delivery.frame.headers[GROUP_HEADER];
    if (addressee !== undefined && addressee !== encodeURIComponent(group)) return delivery.ack();
    const envelope = await this.#read(delivery);
    if (envelope === undefined) return;
    if (inbox === undefined) return this.#run(delivery, envelope, signal);
    const key = `${encodeURIComponent(group)}:${envelope.meta.id}`;
    let claim: Awaited<ReturnType<Inbox["claim"]>>;
    try {
      claim = await inbox.claim(key, leaseMs);
    } catch (error) {
      this.#report(delivery, error);
      return delivery.retry(this.#backoff(delivery.attempt));
    }
    if (claim === "done") return delivery.ack();
    // Another worker runs it, or died while it did: its lease decides.
    if (claim === "running") return delivery.retry(Math.ceil(leaseMs / 4));
    await this.#run(delivery, envelope, signal, key);
  }

  /** Returns the message, or settles a delivery that cannot be read. */
  async #read(delivery: StoredDelivery): Promise<Envelope | undefined> {
    const { types, unknown } = this.#options;
    let type: MessageType | undefined;
    try {
      const name = typeNameOf(delivery.frame);
      type = name === undefined ? undefined : types.get(name);
      if (type === undefined) {
        await this.#dead(
          delivery,
          "unknown-type",
          `${excerpt(String(name))} is not a type that is served here.`,
        );
        return undefined;
      }
      return readStored(delivery.frame, type);
    } catch (error) {
      const newer = error instanceof InvalidMessageError && error.path === "meta.version";
      // During a roll-out, a process of the new version takes it.
      if (newer && unknown === "retry" && delivery.attempt < GIVEN_UP_AFTER * this.#options.maxAttempts)
        await delivery.retry(this.#backoff(delivery.attempt));
      else {
        const reason = newer ? "unknown-type" : "undecodable";
        const version = type === undefined ? "" : ` (version ${versionOf(type)} of ${nameOf(type)} here)`;
        await this.#dead(delivery, reason, detailOf(error) + version);
      }
      return undefined;
    }
  }

  async #run(delivery: StoredDelivery, envelope: Envelope, signal: AbortSignal, key?: string): Promise<void> {
    const { bus, kind, inbox, maxAttempts } = this.#options;
    const { attempt } = delivery;
    // A message that ends its process fails in no handler; one that is given back by closing processes may come often.
    if (attempt > GIVEN_UP_AFTER * maxAttempts)
      return this.#dead(delivery, "max-attempts", `No process settled it in ${attempt - 1} deliveries.`);
    this.#link.incoming.add(envelope);
    markCrossing(envelope, "stored");
    try {
      await run(bus, kind, envelope, { signal, attempt });
    } catch (error) {
      if (key !== undefined) await this.#quietly(delivery, () => inbox!.release(key));
      // A closed bus has handled nothing: the message is for another process, at once.
      if (isClosed(error) || signal.aborted) return delivery.retry(0);
      if (isUnrecoverable(error)) return this.#dead(delivery, "unrecoverable", detailOf(error));
      if (attempt >= maxAttempts) return this.#dead(delivery, "max-attempts", detailOf(error));
      return delivery.retry(this.#backoff(attempt));
    }
    // The mark first: a message that is acknowledged and not marked would have a second effect if it was sent twice.
    if (key !== undefined) await this.#quietly(delivery, () => inbox!.done(key));
    await delivery.ack();
  }

  async #dead(delivery: StoredDelivery, reason: DeadLetterReason, detail: string): Promise<void> {
    try {
      await delivery.dead(reason, detail);
    } catch (error) {
      this.#report(delivery, error);
      await delivery.retry(STORE_RETRY_MS);
    }
  }

  async #quietly(delivery: StoredDelivery, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#report(delivery, error);
    }
  }

  /**
   * Returns the wait before the next attempt, of which half is chance, so that failed messages do not come back
   * together.
   */
  #backoff(attempt: number): number {
    const { backoffMs } = this.#options;
    const waitMs = backoffMs[Math.min(attempt, backoffMs.length) - 1] ?? 0;
    return Math.min(Math.round(waitMs * (0.75 + Math.random() / 2)), LONGEST_TIMEOUT_MS);
  }

  #report(delivery: StoredDelivery, error: unknown): void {
    this.#faults.report(() => {
      const type = excerpt(headerText(delivery.frame, TYPE_HEADER) || "a message");
      return `link, ${type} of group ${excerpt(this.#options.group)}`;
    }, error);
  }
}

/** Returns what an error says, with the texts of errors that an event bus has collected. */
function detailOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(detailOf).join(" | ").slice(0, 1_000);
  if (!(error instanceof Error)) return `A value of type ${typeof error} was thrown.`;
  return excerpt(`${error.name}: ${error.message}`);
}

function eachOf(error: unknown): readonly unknown[] {
  return error instanceof AggregateError ? (error.errors as unknown[]) : [error];
}

/** Another attempt of an event cannot help if none of its errors can be recovered from. */
function isUnrecoverable(error: unknown): boolean {
  return eachOf(error).every((each) => each instanceof UnrecoverableError);
}

function isClosed(error: unknown): boolean {
  return eachOf(error).some((each) => (each as { readonly code?: unknown } | null)?.code === "BUS_CLOSED");
}
