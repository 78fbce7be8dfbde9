import type { Observable } from "rxjs";
import type { Fault } from "../core/delivery/outcome.js";
import type { MessageType } from "../core/messages/message.js";
import type { RetryOptions } from "./feed.js";

export interface WorkOptions {
  /** The classes of the commands that are run. They are found by their names. */
  readonly types: readonly MessageType[];
  /**
   * How many commands run at a time. Two connections of the pool are left for looking and for extending leases,
   * so that a `pg.Pool` with its 10 connections runs 8. @defaultValue 10
   */
  readonly concurrency?: number;
  /**
   * Time without a sign of life after which another worker takes a command over, in milliseconds. It is extended
   * while the handler runs. @defaultValue 30_000
   */
  readonly leaseMs?: number;
  /** How often to look for commands of other processes and for due ones, in milliseconds. @defaultValue 200 */
  readonly pollMs?: number;
  /** @defaultValue \{ count: 5, delayMs: 1_000, maxDelayMs: 60_000 \} */
  readonly retry?: RetryOptions;
}

export interface WorkerCloseOptions {
  /** Time for commands that run, in milliseconds, before they are aborted and given back. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** A running worker. */
export interface Worker extends AsyncDisposable {
  /** Commands that were given up, leases that were lost, and a database that cannot be reached. */
  readonly faults$: Observable<Fault>;
  /**
   * Describes the worker at this moment, for `inspect` and for logs. `running` are the names of the commands that run.
   */
  describe(): {
    readonly types: readonly string[];
    readonly concurrency: number;
    readonly running: readonly string[];
  };
  /** Takes no further command, and resolves when those that run have ended. */
  close(options?: WorkerCloseOptions): Promise<void>;
}
