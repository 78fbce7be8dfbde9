// Middleware written in place knows its deliveries, and middleware for some messages fits a bus for all.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import {
  around,
  CommandBus,
  EventBus,
  QueryBus,
  shared,
  when,
  type AroundFunction,
  type Delivery,
  type Middleware,
  type Next,
} from "cqrx";
import {
  bufferTime,
  catchError,
  concatMap,
  debounceTime,
  delay,
  filter,
  map,
  mergeAll,
  mergeMap,
  tap,
  throttleTime,
  type MonoTypeOperatorFunction,
  type Observable,
} from "rxjs";
import { holds, type Equal } from "./equal.js";
import { CreateUser, GetUserEmail, Unmarked } from "./messages.js";

declare const log: (...values: unknown[]) => void;
declare const allowed: (message: object) => boolean;

export const operatorsInPlace = new CommandBus({
  middleware: [
    tap((d) => {
      holds<Equal<typeof d, Delivery>>();
      log(d.message, d.envelope.meta.id);
    }),
    filter((d) => {
      holds<Equal<typeof d, Delivery>>();
      return allowed(d.message);
    }),
    mergeMap(async (d) => {
      holds<Equal<typeof d, Delivery>>();
      await Promise.resolve();
      return d;
    }),
    map((d) => d.with(new Unmarked("another"))),
    map((d) => (d.message instanceof CreateUser ? d.with(new CreateUser(d.message.userId, "")) : d)),
    concatMap((d) => [d]),
    delay(10),
    catchError((error: unknown) => {
      throw error;
    }),
    (source) =>
      source.pipe(
        tap((d) => {
          holds<Equal<typeof d, Delivery>>();
        }),
      ),
  ],
});

export const functionsInPlace = new QueryBus({
  middleware: [
    around((message, next, delivery) => {
      holds<Equal<typeof message, object>>();
      holds<Equal<typeof next, Next>>();
      holds<Equal<typeof delivery, Delivery>>();
      return next(message);
    }),
    around(async (message, next) => {
      const started = performance.now();
      try {
        return await next(message);
      } finally {
        log(message.constructor.name, performance.now() - started);
      }
    }),
    around((_, next) => next()),
    around((_, next) => next(new Unmarked("another"))),
    around((message, next) => (message instanceof GetUserEmail ? "cached" : next(message))),
    around(() => {
      throw new Error("no");
    }),
    around((message: Unmarked, next) => next(new Unmarked(message.text))),
    around<Unmarked>((message, next) => next(new Unmarked(message.text))),
    around<GetUserEmail, string | null>(async ({ userId }, next) => (await next()) ?? userId),
  ],
});

export const sharedInPlace = new EventBus({
  middleware: [
    shared(throttleTime(100)),
    shared(debounceTime(100), { holdTimeoutMs: 200 }),
    shared(bufferTimeFlat(100)),
    shared(
      tap((d) => {
        holds<Equal<typeof d, Delivery>>();
      }),
    ),
    shared((source) => source.pipe(filter((d) => allowed(d.message)))),
  ],
});

function bufferTimeFlat<T>(ms: number): MonoTypeOperatorFunction<T> {
  return (source: Observable<T>) => source.pipe(bufferTime(ms), mergeAll());
}

export const narrowed = new CommandBus({
  middleware: [
    when(
      CreateUser,
      around((message, next, delivery) => {
        holds<Equal<typeof message, CreateUser>>();
        holds<Equal<typeof delivery.message, CreateUser>>();
        return next(new CreateUser(message.userId, message.email.toLowerCase()));
      }),
    ),
    when(
      CreateUser,
      tap((d) => {
        holds<Equal<typeof d, Delivery<CreateUser>>>();
      }),
    ),
    when(
      CreateUser,
      filter(({ message }) => message.email !== ""),
    ),
    when(CreateUser, shared(throttleTime(100))),
    when(
      [CreateUser, Unmarked],
      around((message, next) => {
        holds<Equal<typeof message, CreateUser | Unmarked>>();
        return next(message);
      }),
    ),
    when(
      [CreateUser, Unmarked],
      tap(({ message }) => {
        holds<Equal<typeof message, CreateUser | Unmarked>>();
      }),
    ),
  ],
});

// Types that libraries and applications keep in constants and return from functions.
const audit: Middleware = tap((d) => log(d.envelope));
const users: Middleware<CreateUser> = around((message, next) => next(new CreateUser(message.userId, "")));
const emails: Middleware<GetUserEmail, string | null> = around(() => null);
const texts: Middleware<Unmarked> = around((message, next) => next(new Unmarked(message.text)));
const plain: MonoTypeOperatorFunction<Delivery> = tap((d) => log(d));
const inferred = around((message, next) => next(message));
const list: readonly Middleware[] = [
  audit,
  users,
  emails,
  plain,
  inferred,
  tap((d) => log(d)),
  when(CreateUser, users),
];

export function tracing(into: string[]): Middleware {
  return around((message, next) => {
    into.push(message.constructor.name);
    return next(message);
  });
}

const written: AroundFunction = (message, next) => next(message);

export const kept = [
  new CommandBus({ middleware: [audit, users, texts, plain, inferred, tracing([]), around(written)] }),
  new QueryBus({ middleware: [audit, emails, ...list] }),
  new EventBus({ middleware: list }),
];

export function wrong(): void {
  // @ts-expect-error not a function
  void new CommandBus({ middleware: ["audit"] });
  // @ts-expect-error forwards messages instead of deliveries
  void new CommandBus({ middleware: [map((d) => d.message)] });
  // @ts-expect-error a function of message and next belongs into around()
  void new CommandBus({ middleware: [(message: object, next: Next) => next(message)] });
  // @ts-expect-error the list may not be nested
  void new CommandBus({ middleware: [[audit]] });
  // @ts-expect-error next takes a message
  void new CommandBus({ middleware: [around((_, next) => next(42))] });
  // @ts-expect-error the message is another one
  when(CreateUser, texts);
  // @ts-expect-error when takes a middleware
  when(CreateUser, "audit");
  // @ts-expect-error when takes classes
  when("CreateUser", audit);
  // @ts-expect-error a duration is a number
  shared(throttleTime(100), { holdTimeoutMs: "1s" });
}
