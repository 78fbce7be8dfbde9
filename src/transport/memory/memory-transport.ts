import type { Observable } from "rxjs";
import { checkOptions, withMethods } from "../../core/checks.js";
import { abortOn } from "../../core/delivery/abort.js";
import { HandlerNotFoundError, InvalidOptionsError } from "../../core/errors.js";
import { startTimer } from "../../core/util/timers.js";
import { LinkClosedError, NotSentError, OutcomeUnknownError } from "../errors.js";
import { StateSource } from "../state.js";
import {
  headerText,
  ID_HEADER,
  REPLAYS_HEADER,
  TYPE_HEADER,
  type AppendOptions,
  type AppendResult,
  type CallEvents,
  type ConsumeOptions,
  type DeadLetters,
  type Frame,
  type IncomingCall,
  type LinkState,
  type Listener,
  type OutgoingCall,
  type Start,
  type StoredDelivery,
  type Transport,
  type TransportFeatures,
} from "../transport.js";
import { MemoryBroker, type BrokeredCall } from "./broker.js";
import { groupsOf, isAfter } from "./groups.js";
import type { Member } from "./member.js";
import type { Consumer, Flight, StoredGroup } from "./stored-group.js";
import { ConnectionWaiters } from "../connection-waiters.js";

const FEATURES: TransportFeatures = {
  maxBytes: 1_048_576,
  calls: true,
  stored: true,
  replay: true,
  order: "key",
  delayedRetry: true,
  dedupeWindowMs: 120_000,
};

export interface MemoryTransportOptions {
  /** The network. @defaultValue a broker of its own, for a process that is alone */
  readonly broker?: MemoryBroker;
}

/**
 * Returns a transport in the memory of this process, which needs no server: the default for development and tests.
 * What it stores is gone when the process ends.
 *
 * @throws InvalidOptionsError
 */
// eslint-disable-next-line @typescript-eslint/require-await -- every transport is made asynchronously
export async function memoryTransport(options: MemoryTransportOptions = {}): Promise<Transport> {
  checkOptions<MemoryTransportOptions>("memoryTransport()", options, {
    broker: withMethods("a MemoryBroker", "crash", "restart", "partition"),
  });
  return new MemoryTransport(options.broker ?? new MemoryBroker());
}

class MemoryTransport implements Transport, Member {
  readonly name = "memory";
  readonly features = FEATURES;
  readonly state$: Observable<LinkState>;
  readonly deadLetters: DeadLetters;
  readonly #broker: MemoryBroker;
  readonly #state = new StateSource();
  readonly #waiting = new ConnectionWaiters();
  readonly #ends = new Set<() => void>();

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
    this.state$ = this.#state.state$;
    broker.join(this);
    if (broker.reaches(this)) this.#state.set("connected");
    this.deadLetters = this.#deadLetters();
  }

  disconnected(): void {
    this.#state.set("disconnected");
  }

  connected(): void {
    this.#state.set("connected");
    this.#waiting.connected();
  }

  get #closed(): boolean {
    return this.#state.current === "closed";
  }

  /** Calls `go` once there is a connection; the returned function takes that back. */
  #whenConnected(go: () => void): () => void {
    return this.#waiting.add(this.#broker.reaches(this), go);
  }

  // Calls ----------------------------------------------------------------------------------------------------------

  call(address: string, frame: Frame, events: CallEvents): OutgoingCall {
    let over = false;
    const call: BrokeredCall = {
      frame: copyOf(frame),
      caller: this,
      toCaller: (reply, last) => {
        const copy = copyOf(reply);
        void Promise.resolve().then(() => {
          if (over || !this.#broker.reaches(this)) return;
          over ||= last;
          if (last) this.#ends.delete(end);
          events.frame(copy);
        });
      },
    };
    const forget = this.#whenConnected(() => {
      if (over) return;
      if (this.#broker.call(address, call)) return events.sent();
      void Promise.resolve().then(() => {
        if (!over) fail(new HandlerNotFoundError(events.type, " No process that can be reached serves it."));
      });
    });
    const fail = (error: HandlerNotFoundError | NotSentError): void => {
      over = true;
      this.#ends.delete(end);
      events.error(error);
    };
    const end = (): void => {
      forget();
      if (!over) fail(new NotSentError(events.type, "the transport was closed"));
    };
    this.#ends.add(end);
    return {
      cancel: () => {
        over = true;
        forget();
        this.#ends.delete(end);
        if (this.#broker.reaches(this)) void Promise.resolve().then(() => call.onCancel?.());
      },
      credit: (count) => {
        if (this.#broker.reaches(this)) void Promise.resolve().then(() => call.onCredit?.(count));
      },
    };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the seam is asynchronous
  async answer(
    address: string,
    { group }: { readonly group: string },
    handler: (call: IncomingCall) => void,
  ): Promise<Listener> {
    this.#checkOpen();
    const leave = this.#broker.answer(address, group, {
      member: this,
      answer: (call) =>
        handler({
          frame: call.frame,
          reply: (frame, last) => {
            if (this.#broker.reaches(this)) call.toCaller(frame, last);
          },
          onCancel: (listener) => (call.onCancel = () => this.#broker.reaches(this) && listener()),
          onCredit: (listener) => (call.onCredit = (count) => this.#broker.reaches(this) && listener(count)),
        }),
    });
    this.#ends.add(leave);
    return {
      close: async () => {
        this.#ends.delete(leave);
        leave();
        // Calls that were on their way have arrived then.
        await Promise.resolve();
      },
    };
  }

  // Storage --------------------------------------------------------------------------------------------------------

  append(address: string, frame: Frame, options: AppendOptions): Promise<AppendResult> {
    const { id, type, signal, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        forget();
        stopTimer();
        this.#ends.delete(close);
        forgetSignal();
        run();
      };
      const abort = (): void => settle(() => reject(signal.reason as Error));
      const close = (): void => settle(() => reject(new NotSentError(type, "the transport was closed")));
      const stopTimer = startTimer(
        timeoutMs,
        () => settle(() => reject(new NotSentError(type, `there was no connection within ${timeoutMs} ms`))),
        { keepAlive: true },
      );
      let forget: () => void = () => undefined;
      let forgetSignal: () => void = () => undefined;
      if (this.#closed) return close();
      if (signal.aborted) return abort();
      forgetSignal = abortOn(signal, { cancel: abort });
      this.#ends.add(close);
      forget = this.#whenConnected(() => {
        const result = this.#broker.append(address, copyOf(frame), id, FEATURES.dedupeWindowMs);
        // The confirmation is lost if the network fails on its way.
        void Promise.resolve().then(() =>
          settle(() =>
            this.#broker.reaches(this)
              ? resolve(result)
              : reject(new OutcomeUnknownError(type, id, "its confirmation was lost")),
          ),
        );
      });
      return undefined;
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the seam is asynchronous
  async consume(
    options: ConsumeOptions,
    handler: (delivery: StoredDelivery) => Promise<void>,
  ): Promise<readonly Listener[]> {
    this.#checkOpen();
    const types = new Set(options.types);
    return groupsOf(this.#broker, options).map((group) => {
      const consumer: Consumer = {
        member: this,
        group: options.group,
        types,
        ackWaitMs: options.ackWaitMs,
        room: options.order === "key" ? 1 : options.concurrency,
        deliver: (flight) => void this.#deliver(group, flight, handler),
      };
      group.join(consumer);
      const leave = (): void => group.leave(consumer);
      this.#ends.add(leave);
      return {
        close: async () => {
          this.#ends.delete(leave);
          leave();
          await Promise.resolve();
        },
      };
    });
  }

  async #deliver(
    group: StoredGroup,
    flight: Flight,
    handler: (delivery: StoredDelivery) => Promise<void>,
  ): Promise<void> {
    const { entry, attempt, consumer } = flight;
    let settled = false;
    /** Waits for a connection, because a message that was handled and is not acknowledged would run again. */
    const settle = (run: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        let forget = (): void => undefined;
        const close = (): void => {
          forget();
          reject(new LinkClosedError());
        };
        this.#ends.add(close);
        forget = this.#whenConnected(() => {
          this.#ends.delete(close);
          try {
            run();
            settled = true;
            resolve();
          } catch (error) {
            reject(error);
          }
        });
      });
    const timer = setInterval(() => {
      if (!settled && this.#broker.reaches(this)) group.keepAlive(flight);
    }, consumer.ackWaitMs / 3);
    const stop = (): void => clearInterval(timer);
    // A handler may never end.
    this.#ends.add(stop);
    try {
      await handler({
        frame: entry.frame,
        attempt,
        position: String(entry.position),
        ack: () => settle(() => group.ack(flight)),
        retry: (delayMs) => settle(() => group.retry(flight, delayMs)),
        dead: (reason, detail) =>
          // The dead letter first: a message that is neither stored nor there would be lost.
          settle(() => {
            const { headers, body } = entry.frame;
            const [, kind] = entry.address.split(".");
            this.#broker.bury(
              {
                id: `${kind}-${entry.position}`,
                messageId: headerText(entry.frame, ID_HEADER),
                messageType: headerText(entry.frame, TYPE_HEADER),
                reason,
                detail,
                attempts: attempt,
                group: consumer.group,
                time: Date.now(),
                headers,
                body,
                replayCount: Number(headers[REPLAYS_HEADER]) || 0,
              },
              entry.address,
            );
            group.ack(flight);
          }),
      });
    } catch {
      // A handler that rejects has not settled its message, which comes again after ackWaitMs.
    } finally {
      stop();
      this.#ends.delete(stop);
      consumer.room++;
      group.pump();
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the seam is asynchronous
  async read(
    { kind, start }: { readonly kind: "command" | "event"; readonly start: Start },
    frame: (frame: Frame, position: string) => void,
  ): Promise<Listener> {
    this.#checkOpen();
    const end = this.#broker.read(
      kind,
      (entry) => isAfter(start, entry),
      (entry) => frame(entry.frame, String(entry.position)),
    );
    this.#ends.add(end);
    return {
      close: () => {
        this.#ends.delete(end);
        end();
        return Promise.resolve();
      },
    };
  }

  #deadLetters(): DeadLetters {
    const found = (id: string, removed: boolean): void => {
      if (!removed)
        throw new InvalidOptionsError(`There is no dead letter ${id}.`, "id", "the id of a dead letter");
    };
    return {
      list: ({ limit = 100 } = {}) => Promise.resolve(this.#broker.letters(limit)),
      replay: async (id) => Promise.resolve(found(id, this.#broker.replay(id, FEATURES.dedupeWindowMs))),
      discard: async (id) => Promise.resolve(found(id, this.#broker.discard(id))),
    };
  }

  #checkOpen(): void {
    if (this.#closed) throw new LinkClosedError();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    for (const end of [...this.#ends]) end();
    this.#waiting.clear();
    this.#broker.leave(this);
    this.#state.set("closed");
    return Promise.resolve();
  }
}

/** Returns a copy, because on a real wire the sender's bytes are its own. */
function copyOf({ headers, body }: Frame): Frame {
  return { headers: Object.freeze({ ...headers }), body: body.slice() };
}
