// A bus in plain RxJS: its definition, before it is made fast and its messages are isolated from each other.
import { filter, mergeMap, of, Subject } from "rxjs";
import type { MonoTypeOperatorFunction, Observable, Subscription } from "rxjs";

export type Kind = "command" | "query" | "event";
export type ReferenceMiddleware = MonoTypeOperatorFunction<ReferenceDelivery>;
export type ReferenceOutcome = PromiseSettledResult<unknown> & { readonly message: object };
type MessageClass<M> = new (...args: never[]) => M;

/** A message together with the address that its reply goes to. */
export class ReferenceDelivery {
  readonly message: object;
  /** How the handlers replied so far. */
  readonly replies: (() => unknown)[] = [];
  readonly #settle: (outcome: PromiseSettledResult<unknown>) => void;

  constructor(message: object, settle: (outcome: PromiseSettledResult<unknown>) => void) {
    this.message = message;
    this.#settle = settle;
  }

  resolve(value?: unknown): void {
    this.#settle({ status: "fulfilled", value });
  }

  reject(reason: unknown): void {
    this.#settle({ status: "rejected", reason });
  }

  with(message: object): ReferenceDelivery {
    return new ReferenceDelivery(message, this.#settle);
  }
}

export class ReferenceBus {
  readonly #kind: Kind;
  readonly #entrance = new Subject<ReferenceDelivery>();
  readonly #handlers = new Subject<ReferenceDelivery>();
  readonly #messages = new Subject<object>();
  readonly #outcomes = new Subject<ReferenceOutcome>();
  readonly messages$: Observable<object> = this.#messages.asObservable();
  readonly outcomes$: Observable<ReferenceOutcome> = this.#outcomes.asObservable();

  constructor(kind: Kind, middleware: readonly ReferenceMiddleware[] = []) {
    this.#kind = kind;
    middleware
      .reduce(
        (stream$, operator) => stream$.pipe(mergeMap((delivery) => of(delivery).pipe(operator))),
        this.#entrance.asObservable(),
      )
      .subscribe((delivery) => {
        // Every handler of the type has its subscription, and has been called when `next` returns.
        this.#handlers.next(delivery);
        this.#reply(delivery);
      });
  }

  register<M extends object>(type: MessageClass<M>, handler: (message: M) => unknown): Subscription {
    return this.#handlers
      .pipe(
        filter(({ message }) =>
          this.#kind === "event" ? message instanceof type : message.constructor === type,
        ),
      )
      .subscribe((delivery) => {
        try {
          const result = handler(delivery.message as M);
          delivery.replies.push(() => result);
        } catch (error) {
          delivery.replies.push(() => {
            throw error;
          });
        }
      });
  }

  dispatch(message: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const delivery = new ReferenceDelivery(message, (outcome) => {
        if (settled) return;
        settled = true;
        const told =
          outcome.status === "fulfilled" && this.#kind !== "query"
            ? { ...outcome, value: undefined }
            : outcome;
        // The outcome is out before the promise's continuations run.
        this.#outcomes.next({ ...told, message });
        if (told.status === "fulfilled") resolve(told.value);
        else reject(told.reason as Error);
      });
      this.#messages.next(message);
      this.#entrance.next(delivery);
    });
  }

  /** Replies with the handler's result, or once all handlers of an event have ended. */
  #reply(delivery: ReferenceDelivery): void {
    const running: Promise<unknown>[] = [];
    const errors: unknown[] = [];
    let value: unknown;
    for (const reply of delivery.replies) {
      try {
        value = reply();
        if (value instanceof Promise) running.push(value.catch((error: unknown) => void errors.push(error)));
      } catch (error) {
        errors.push(error);
      }
    }
    const end = (): void => {
      if (errors.length === 0) delivery.resolve(value);
      else delivery.reject(this.#kind === "event" ? new AggregateError(errors) : errors[0]);
    };
    if (running.length === 0) end();
    else void Promise.all(running).then(([last]) => ((value = last), end()));
  }
}
