import { createInbox, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { startTimer } from "../core/util/timers.js";
import type { Connection } from "./connection.js";

interface Request {
  readonly subject: string;
  readonly data: Uint8Array | string;
  readonly headers: MsgHdrs | undefined;
  readonly reply: string;
  readonly resolve: (reply: Msg | undefined) => void;
  readonly reject: (error: unknown) => void;
  readonly stopTimer: () => void;
}

/**
 * Messages that the server answers, such as acknowledgements: all answers come to one wildcard subscription, and the
 * messages of one turn of the event loop go out in one write. A request of the client makes three errors and a write
 * of its own, which cost more than handling a stored message.
 */
export class Replies {
  readonly #connection: Connection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Request>();
  #unsent: Request[] = [];
  #subscribed = false;
  #count = 0;

  constructor(connection: Connection, inboxPrefix: string) {
    this.#connection = connection;
    this.#inbox = createInbox(inboxPrefix);
    connection.onRefused.add((subject, error) => {
      for (const request of this.#waiting.values())
        if (request.subject === subject) this.#end(request)?.reject(error);
    });
  }

  /**
   * Resolves to the answer, or to `undefined` when none has come in time; without responders the answer has the code
   * 503.
   *
   * @throws PermissionViolationError if this account may not publish there
   */
  request(
    subject: string,
    data: Uint8Array | string,
    timeoutMs: number,
    headers?: MsgHdrs,
  ): Promise<Msg | undefined> {
    this.#subscribe();
    return new Promise((resolve, reject) => {
      const reply = `${this.#inbox}.${++this.#count}`;
      const timedOut = (): void => this.#end(request)?.resolve(undefined);
      const stopTimer = startTimer(timeoutMs, timedOut, { keepAlive: true });
      const request: Request = { subject, data, headers, reply, resolve, reject, stopTimer };
      this.#waiting.set(reply, request);
      if (this.#unsent.push(request) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const { nc } = this.#connection;
    for (const request of this.#unsent.splice(0)) {
      const { subject, data, headers, reply } = request;
      if (!this.#waiting.has(reply)) continue;
      try {
        nc.publish(subject, data, headers === undefined ? { reply } : { reply, headers });
      } catch (error) {
        this.#end(request)?.reject(error);
      }
    }
  }

  #subscribe(): void {
    if (this.#subscribed) return;
    this.#subscribed = true;
    this.#connection.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, msg) => {
        const request = error === null ? this.#waiting.get(msg.subject) : undefined;
        if (request !== undefined) this.#end(request)?.resolve(msg);
      },
    });
  }

  /** Returns the request if it is still waiting. */
  #end(request: Request): Request | undefined {
    request.stopTimer();
    return this.#waiting.delete(request.reply) ? request : undefined;
  }

  close(): void {
    for (const request of this.#waiting.values()) this.#end(request)?.resolve(undefined);
  }
}

/** Returns whether the server says that the subject has no responders. */
export function isNoResponders(reply: Msg): boolean {
  return reply.data.length === 0 && reply.headers?.code === 503;
}
