import { Observable } from "rxjs";
import { catchObserverErrors } from "../util/guarded-observable.js";
import type { DeliveryHost } from "./delivery-host.js";
import type { Delivery } from "./delivery.js";

export const PENDING = 0;
export const FULFILLED = 1;
export const REJECTED = 2;
/** Rejected from outside, while work may still run: its signal is aborted. */
export const ABORTED = 3;

type Settled = typeof FULFILLED | typeof REJECTED | typeof ABORTED;
type Hook = () => void;

/**
 * The reply of a message: settled once, then told to the bus, to promises and to hooks, in this order.
 *
 * A base class, because an object of its own would cost each dispatch more than everything in this file. Each method acts on `reply`,
 * because deliveries made by `with(message)` share the reply of the first.
 */
export abstract class Settlement {
  declare host: DeliveryHost;
  /** The settlement that holds the reply: this one, or the one that `with(message)` was called on. */
  declare reply: Settlement;
  declare status: typeof PENDING | Settled;
  /** The value or the reason, by `status`. While pending: the promise that the handler returned, if it returned one. */
  declare result: unknown;
  /** The bus has let the message in, so that it will have exactly one outcome. False for forks and for refused messages. */
  declare accepted: boolean;
  /** Most replies have one hook or none, so that an array is made for the second. */
  declare protected hooks: Hook | Hook[] | undefined;
  declare protected fulfil: ((value: unknown) => void) | undefined;
  declare protected refuse: ((reason: unknown) => void) | undefined;

  abstract get typeName(): string;

  get pending(): boolean {
    return this.reply.status === PENDING;
  }

  /** Settles the reply; later calls do nothing. */
  settle(status: Settled, result: unknown): void {
    const { reply } = this;
    if (reply.status !== PENDING) return;
    reply.status = status;
    reply.result = reply.accepted && status === FULFILLED && !reply.host.returnsValue ? undefined : result;
    // The bus first, so that the outcome is out before the continuations of the promise run.
    if (reply.accepted) reply.host.ended(reply as unknown as Delivery);
    if (reply.fulfil !== undefined) {
      if (status === FULFILLED) reply.fulfil(reply.result);
      else reply.refuse!(result);
    }
    reply.unlink();
    if (reply.hooks !== undefined) reply.runHooks();
  }

  /** Releases a settled reply from its causes, because they may outlive it. */
  protected abstract unlink(): void;

  /** Reports an error that no promise can carry any more. */
  abstract lateFailure(reason: unknown): void;

  /** Runs `hook` once the reply is settled, synchronously if it already is. */
  whenSettled(hook: Hook): void {
    const { reply } = this;
    if (reply.status !== PENDING) reply.runHook(hook);
    else if (reply.hooks === undefined) reply.hooks = hook;
    else if (typeof reply.hooks === "function") reply.hooks = [reply.hooks, hook];
    else reply.hooks.push(hook);
  }

  /** Takes {@link whenSettled} back. */
  forget(hook: Hook): void {
    const { reply } = this;
    if (reply.hooks === hook) reply.hooks = undefined;
    else if (Array.isArray(reply.hooks) && reply.hooks.includes(hook))
      reply.hooks.splice(reply.hooks.indexOf(hook), 1);
  }

  private runHooks(): void {
    const { hooks } = this;
    this.hooks = undefined;
    for (const hook of Array.isArray(hooks) ? hooks : [hooks!]) this.runHook(hook);
  }

  /** Runs code of others, such as the teardown of a stream; its error must not reach the callers that wait for the reply. */
  private runHook(hook: Hook): void {
    try {
      hook();
    } catch (error) {
      this.lateFailure(error);
    }
  }

  /** Returns the promise of the reply. Made on demand, because a reply that is already settled needs no resolvers. */
  promise(): Promise<unknown> {
    const { reply } = this;
    if (reply.status === FULFILLED) return Promise.resolve(reply.result);
    if (reply.status !== PENDING) return Promise.reject(reply.result);
    return new Promise((resolve, reject) => {
      if (reply.fulfil === undefined) {
        reply.fulfil = resolve;
        reply.refuse = reject;
      } else reply.whenSettled(() => (reply.status === FULFILLED ? resolve : reject)(reply.result));
    });
  }

  /** Returns the reply as a step of the pipeline does: the value, a promise of it, or the error thrown. */
  asResult(): unknown {
    const { status, result } = this.reply;
    if (status === FULFILLED) return result;
    if (status === PENDING) return this.promise();
    throw result;
  }

  get settled$(): Observable<PromiseSettledResult<never>> {
    const settled$ = new Observable<PromiseSettledResult<never>>((subscriber) => {
      const emit = (): void => {
        subscriber.next(this.settledResult() as PromiseSettledResult<never>);
        subscriber.complete();
      };
      this.whenSettled(emit);
      return () => this.forget(emit);
    });
    return catchObserverErrors(settled$, (error) =>
      this.host.report({ kind: "observer", source: `settled$ of ${this.typeName}`, error }),
    );
  }

  /** Returns how the reply was settled; to be called once it is. */
  settledResult(): PromiseSettledResult<unknown> {
    const { status, result } = this.reply;
    return status === FULFILLED
      ? { status: "fulfilled", value: result }
      : { status: "rejected", reason: result };
  }
}
