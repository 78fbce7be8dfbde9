import {
  AuthorizationError,
  connect,
  PermissionViolationError,
  type ConnectionOptions,
  type NatsConnection,
} from "@nats-io/transport-node";
import { abortOn } from "../core/delivery/abort.js";
import { LONGEST_TIMEOUT_MS, startTimer } from "../core/util/timers.js";
import { NotSentError } from "../transport/errors.js";
import { StateSource } from "../transport/state.js";
import { ConnectionWaiters } from "../transport/connection-waiters.js";

/** The wait between two attempts of the first connection, in milliseconds. */
const RETRY_MS = 100;

/** The part of a connection of the client that its types leave out. */
interface Dialled {
  readonly isClosed: boolean;
  readonly socket?: { destroy(): void };
  /** Closes the socket once there is one. */
  done: boolean;
}

/** A connection that is made again for ever, and its state. */
export class Connection {
  readonly nc: NatsConnection;
  readonly state = new StateSource();
  /** Called with the subject of a message that the server did not take, because the account may not publish there. */
  readonly onRefused = new Set<(subject: string, error: Error) => void>();
  readonly #waiting = new ConnectionWaiters();

  private constructor(nc: NatsConnection) {
    this.nc = nc;
    this.state.set("connected");
    void this.#follow();
  }

  /** @throws NotSentError if no server answers in time, or if it refuses the credentials */
  static async open(options: ConnectionOptions, timeoutMs: number): Promise<Connection> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      try {
        const nc = await connect({
          // The defaults of the client give up after ten attempts, and see a dead peer after four minutes.
          maxReconnectAttempts: -1,
          reconnectTimeWait: 100,
          reconnectJitter: 100,
          pingInterval: 4_000,
          maxPingOut: 2,
          ignoreAuthErrorAbort: true,
          // Saves two errors for each request, whose stacks show the client only.
          noAsyncTraces: true,
          ...options,
          timeout: Math.min(Math.max(1, end - performance.now()), LONGEST_TIMEOUT_MS),
        });
        return new Connection(nc);
      } catch (cause) {
        if (cause instanceof AuthorizationError)
          throw new NotSentError("The request to connect", "NATS does not take the credentials", cause);
        // A server that starts together with this process may not listen yet.
        if (end - performance.now() > RETRY_MS) await wait(RETRY_MS);
        else
          throw new NotSentError(
            "The request to connect",
            `no NATS server took the connection within ${timeoutMs} ms`,
            cause,
          );
      }
    }
  }

  get connected(): boolean {
    return this.state.current === "connected" || this.state.current === "degraded";
  }

  get closed(): boolean {
    return this.state.current === "closed" || this.nc.isClosed();
  }

  async #follow(): Promise<void> {
    for await (const { type, ...status } of this.nc.status()) {
      if (type === "error") {
        const { error } = status as { error: unknown };
        if (error instanceof PermissionViolationError && error.operation === "publish")
          for (const refused of this.onRefused) refused(error.subject, error);
      } else if (type === "disconnect") this.state.set("disconnected");
      else if (type === "staleConnection") this.state.set("degraded");
      // A ping without an answer is the first sign of a half-open connection.
      else if (type === "ping" && (status as { pendingPings: number }).pendingPings > 1 && this.connected)
        this.state.set("degraded");
      else if (type === "ping" && this.state.current === "degraded") this.state.set("connected");
      else if (type === "reconnect") {
        this.state.set("connected");
        this.#waiting.connected();
      }
    }
  }

  /** Calls `go` once there is a connection; the returned function takes that back. */
  whenConnected(go: () => void): () => void {
    return this.#waiting.add(this.connected, go);
  }

  /**
   * Resolves to whether there is a connection within the time; at once when the transport closes or the signal aborts.
   */
  connectedWithin(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.connected) return Promise.resolve(true);
    if (this.closed || timeoutMs <= 0 || signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      let forget = (): void => undefined;
      let forgetSignal = (): void => undefined;
      const end = (connected: boolean): void => {
        forget();
        forgetSignal();
        stopTimer();
        this.#closing.delete(abort);
        resolve(connected);
      };
      const abort = (): void => end(false);
      const stopTimer = startTimer(timeoutMs, abort, { keepAlive: true });
      this.#closing.add(abort);
      forget = this.whenConnected(() => end(true));
      if (signal !== undefined) forgetSignal = abortOn(signal, { cancel: abort });
    });
  }

  readonly #closing = new Set<() => void>();

  async close(): Promise<void> {
    const { connected } = this;
    this.state.set("closed");
    for (const end of [...this.#closing]) end();
    // Flush first. If the connection ended first, the last frames, such as a retry, would be lost.
    if (connected && !this.nc.isClosed())
      await Promise.race([this.nc.flush().catch(() => undefined), wait(1_000, false)]);
    await this.nc.close();
    // The client leaves alone a connection that is just being made, and a server that says nothing would keep it open,
    // and the process with it.
    const transport = (this.nc as { protocol?: { transport?: Dialled } }).protocol?.transport;
    if (transport === undefined || transport.isClosed) return;
    transport.done = true;
    transport.socket?.destroy();
  }
}

/** Waits. */
export function wait(delayMs: number, keepAlive = true): Promise<void> {
  return new Promise((resolve) => void startTimer(delayMs, resolve, { keepAlive }));
}
