import type { CloseReport } from "../buses/bus.js";
import { checkOptions, milliseconds } from "../core/checks.js";
import { abortError } from "../core/delivery/abort.js";
import { InvalidMessageError } from "../core/errors.js";
import { LONGEST_TIMEOUT_MS, startTimer } from "../core/util/timers.js";
import { nameOf, type MessageKind, type MessageType } from "../core/messages/message.js";
import { callAddress } from "./address.js";
import { IncomingCalls } from "./incoming-calls.js";
import type { LinkContext } from "./link-context.js";
import type { ServeOptions } from "./options.js";
import { RareFaults } from "./rare-faults.js";
import { watchWork, type LinkedBus } from "./served-bus.js";
import { StoredWorker } from "./stored-worker.js";
import type { Listener } from "./transport.js";

interface ServingSpec {
  readonly bus: LinkedBus;
  readonly kind: MessageKind;
  readonly types: readonly MessageType[];
  readonly calls: boolean;
  readonly stored: boolean;
  readonly options: ServeOptions;
}

/** All processes answer calls as one group, because a second group would handle each call a second time. */
const CALL_GROUP = "cqrx";

/** Types that a process handles for others, until it is closed. */
export class Serving implements AsyncDisposable {
  readonly #link: LinkContext;
  readonly #spec: ServingSpec;
  readonly #left: () => void;
  readonly #calls: IncomingCalls;
  readonly #worker: StoredWorker | undefined;
  readonly #listeners: Listener[] = [];
  #report: Promise<CloseReport> | undefined;

  /** @internal */
  constructor(link: LinkContext, spec: ServingSpec, left: () => void) {
    this.#link = link;
    this.#spec = spec;
    this.#left = left;
    const { bus, kind, options, stored } = spec;
    this.#calls = new IncomingCalls(link, { bus, kind, concurrency: options.concurrency ?? 64 });
    if (stored)
      this.#worker = new StoredWorker(link, {
        bus,
        kind: kind as "command" | "event",
        types: new Map(spec.types.map((type) => [nameOf(type), type])),
        group: options.group ?? "cqrx",
        maxAttempts: options.maxAttempts ?? 5,
        backoffMs: options.backoffMs ?? [100, 1_000, 5_000, 30_000],
        inbox: options.inbox,
        leaseMs: Math.min(options.leaseMs ?? 10_000, LONGEST_TIMEOUT_MS),
        unknown: options.unknown ?? "dead-letter",
      });
  }

  /** @internal */
  get types(): readonly MessageType[] {
    return this.#spec.types;
  }

  /** @internal The group of events that this serves. */
  get eventGroup(): string | undefined {
    return this.#spec.kind === "event" ? this.#spec.options.group : undefined;
  }

  /** @internal */
  async start(): Promise<void> {
    const { transport } = this.#link;
    const { kind, types, options, calls } = this.#spec;
    const worker = this.#worker;
    const faults = new RareFaults(this.#spec.bus);
    if (worker !== undefined)
      this.#listeners.push(
        ...(await transport.consume(
          {
            kind: kind as "command" | "event",
            types: types.map(nameOf),
            group: options.group ?? "cqrx",
            concurrency: options.concurrency ?? 64,
            ackWaitMs: Math.min(options.ackWaitMs ?? 10_000, LONGEST_TIMEOUT_MS),
            start: options.start ?? "new",
            order: options.order ?? "none",
            partitions: kind === "command" ? 1 : this.#link.partitions,
          },
          (delivery) => worker.handle(delivery),
        )),
      );
    if (calls)
      await Promise.all(
        types.map(async (type) => {
          const listener = await transport.answer(
            callAddress(kind, nameOf(type)),
            {
              group: CALL_GROUP,
              refused: (reason) =>
                faults.report(
                  () => `link, a call of ${nameOf(type)}`,
                  new InvalidMessageError(`A call was refused, because ${reason}.`, {
                    messageType: nameOf(type),
                  }),
                ),
            },
            (call) => this.#calls.take(call, type),
          );
          this.#listeners.push(listener);
        }),
      );
  }

  /**
   * Stops taking messages, lets those that run end, and gives the others back. At the deadline, what still runs
   * is aborted.
   *
   * @param options - `timeoutMs`, 10_000 if it is left out
   * @throws InvalidOptionsError
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<CloseReport> {
    checkOptions("serving.close()", options, { timeoutMs: milliseconds });
    return (this.#report ??= this.#close(options.timeoutMs ?? 10_000));
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    const running = this.#calls.pending + (this.#worker?.pending ?? 0);
    this.#worker?.close();
    let stopTimer: (() => void) | undefined;
    const deadline = new Promise<void>((resolve) => {
      stopTimer = startTimer(timeoutMs, resolve, { keepAlive: true });
    });
    const stopped = Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
    await Promise.race([stopped, deadline]);
    this.#calls.endStreams();
    const idle = Promise.all([this.#calls.idle(), this.#worker?.idle()]);
    await Promise.race([idle, deadline]);
    stopTimer?.();
    const stillWorking = watchWork(this.#spec.bus);
    const aborted = [
      ...this.#calls.abort(abortError("The link that served this call was closed.")),
      ...(this.#worker?.abort() ?? []),
    ];
    // Handlers that heed their signal end now, so that their messages can be given back.
    if (aborted.length > 0) {
      await Promise.race([idle, new Promise((resolve) => setTimeout(resolve, 500))]);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.#left();
    const working = stillWorking();
    const abandoned = aborted.filter((id) => working.has(id));
    return { finished: Math.max(0, running - aborted.length), aborted, abandoned };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
