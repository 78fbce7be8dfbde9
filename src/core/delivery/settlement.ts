import { Observable } from "rxjs";
import { catchObserverErrors } from "../util/guarded-observable.js";
import type { DeliveryHost } from "./delivery-host.js";
import type { Delivery } from "./delivery.js";

/** Pending, and no bus has let it in: a message on its way to the door, or a fork, which has no outcome of its own. */
export const NEW = 0;
/** Pending, and its bus has let it in: it will have exactly one outcome. */
export const ACCEPTED = 1;
export const FULFILLED = 2;
export const REJECTED = 3;
/** Rejected from outside, while work may still run: its signal is aborted. */
export const ABORTED = 4;
/** Rejected at the door: it has no outcome, only its promise. */
export const REFUSED = 5;

export type Status = typeof NEW | typeof ACCEPTED | Settled;
type Settled = typeof FULFILLED | typeof REJECTED | typeof ABORTED | typeof REFUSED;
type Hook = () => void;

/**
 * The state of a reply: settled once, then told to the bus, to promises and to hooks, in this order.
 *
 * Fields of the delivery and functions over them, because an object or a base class of its own would cost each
 * dispatch 8 %.
 */
export interface Reply {
  readonly host: DeliveryHost;
  readonly typeName: string;
  status: Status;
  /** The value or the reason, by `status`. While pending: the promise that the handler returned, if it returned one. */
  result: unknown;
  /** Most replies have one hook or none, so that an array is made for the second. */
  hooks: Hook | Hook[] | undefined;
  fulfil: ((value: unknown) => void) | undefined;
  refuse: ((reason: unknown) => void) | undefined;
  readonly madeLinks: object | undefined;
  /** Releases a settled reply from its causes, because they may outlive it. */
  unlink(): void;
  /** Reports an error that no promise can carry any more. */
  lateFailure(reason: unknown): void;
}

export function isPending(reply: Reply): boolean {
  return reply.status <= ACCEPTED;
}

/** Settles a reply; later calls do nothing. */
export function settle(reply: Reply, status: Settled, result: unknown): void {
  const accepted = reply.status === ACCEPTED;
  if (reply.status > ACCEPTED) return;
  reply.status = status;
  reply.result = accepted && status === FULFILLED && !reply.host.returnsValue ? undefined : result;
  // The bus first, so that the outcome is out before the continuations of the promise run.
  if (accepted) reply.host.ended(reply as unknown as Delivery);
  if (reply.fulfil !== undefined) (status === FULFILLED ? reply.fulfil : reply.refuse!)(reply.result);
  if (reply.madeLinks !== undefined) reply.unlink();
  if (reply.hooks !== undefined) runHooks(reply);
}

/** Runs `hook` once the reply is settled, synchronously if it already is. */
export function addHook(reply: Reply, hook: Hook): void {
  if (!isPending(reply)) runHook(reply, hook);
  else if (reply.hooks === undefined) reply.hooks = hook;
  else if (typeof reply.hooks === "function") reply.hooks = [reply.hooks, hook];
  else reply.hooks.push(hook);
}

export function removeHook(reply: Reply, hook: Hook): void {
  if (reply.hooks === hook) reply.hooks = undefined;
  else if (Array.isArray(reply.hooks) && reply.hooks.includes(hook))
    reply.hooks.splice(reply.hooks.indexOf(hook), 1);
}

function runHooks(reply: Reply): void {
  const { hooks } = reply;
  reply.hooks = undefined;
  if (typeof hooks === "function") runHook(reply, hooks);
  else hooks!.forEach((hook) => runHook(reply, hook));
}

/**
 * Runs a hook. Its error must not reach the callers that wait for the reply, because a hook runs code of users, such
 * as the teardown of a stream.
 */
function runHook(reply: Reply, hook: Hook): void {
  try {
    hook();
  } catch (error) {
    reply.lateFailure(error);
  }
}

/** Returns the promise of a reply. Made on demand, because a reply that is already settled needs no resolvers. */
export function promiseOf(reply: Reply): Promise<unknown> {
  if (reply.status === FULFILLED) return Promise.resolve(reply.result);
  if (reply.status > ACCEPTED) return Promise.reject(reply.result);
  return new Promise((resolve, reject) => {
    if (reply.fulfil !== undefined) return settleToo(reply, resolve, reject);
    reply.fulfil = resolve;
    reply.refuse = reject;
  });
}

/**
 * Settles a further promise with a reply. Not a part of {@link promiseOf}, because a closure over the two functions
 * would cost the first promise 88 bytes, too.
 */
function settleToo(reply: Reply, fulfil: (value: unknown) => void, refuse: (reason: unknown) => void): void {
  addHook(reply, () => (reply.status === FULFILLED ? fulfil : refuse)(reply.result));
}

/** Returns a reply as a step of the pipeline does: the value, a promise of it, or the error thrown. */
export function resultOf(reply: Reply): unknown {
  if (reply.status === FULFILLED) return reply.result;
  if (reply.status <= ACCEPTED) return promiseOf(reply);
  throw reply.result;
}

export function settled$Of(reply: Reply): Observable<PromiseSettledResult<never>> {
  const settled$ = new Observable<PromiseSettledResult<never>>((subscriber) => {
    const emit = (): void => {
      const { status, result } = reply;
      subscriber.next(
        status === FULFILLED
          ? { status: "fulfilled", value: result as never }
          : { status: "rejected", reason: result },
      );
      subscriber.complete();
    };
    addHook(reply, emit);
    return () => removeHook(reply, emit);
  });
  return catchObserverErrors(settled$, (error) =>
    reply.host.report({ kind: "observer", source: `settled$ of ${reply.typeName}`, error }),
  );
}
