// The types of the streams of a bus, also after narrowing.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import {
  Envelope,
  fulfilled,
  ofType,
  rejected,
  type CommandBus,
  type Delivery,
  type Fault,
  type FulfilledOutcome,
  type LiveSnapshot,
  type MessageMeta,
  type Outcome,
  type QueryBus,
  type RejectedOutcome,
} from "cqrx";
import type { Observable } from "rxjs";
import { holds, type Equal } from "./equal.js";
import { CreateUser, GetUserEmail, Unmarked } from "./messages.js";

declare const commandBus: CommandBus;
declare const queryBus: QueryBus;
declare const deliveries$: Observable<Delivery>;

type ValueOf<S> = S extends Observable<infer T> ? T : never;

export function streams(): void {
  holds<Equal<typeof commandBus.messages$, Observable<Envelope>>>();
  holds<Equal<typeof commandBus.outcomes$, Observable<Outcome>>>();
  holds<Equal<typeof commandBus.faults$, Observable<Fault>>>();
  // @ts-expect-error observers only read
  void commandBus.messages$.next;
  // @ts-expect-error observers only read
  commandBus.messages$ = queryBus.messages$;
}

export function messages(): void {
  const one$ = commandBus.messages$.pipe(ofType(CreateUser));
  holds<Equal<ValueOf<typeof one$>, Envelope<CreateUser>>>();
  const several$ = commandBus.messages$.pipe(ofType(CreateUser, Unmarked));
  holds<Equal<ValueOf<typeof several$>, Envelope<CreateUser | Unmarked>>>();
}

export function outcomes(): void {
  const one$ = queryBus.outcomes$.pipe(ofType(GetUserEmail));
  holds<Equal<ValueOf<typeof one$>, Outcome<GetUserEmail, string | null>>>();
  const good$ = queryBus.outcomes$.pipe(ofType(GetUserEmail), fulfilled());
  holds<Equal<ValueOf<typeof good$>, FulfilledOutcome<GetUserEmail, string | null>>>();
  const goodFirst$ = queryBus.outcomes$.pipe(fulfilled(), ofType(GetUserEmail));
  holds<Equal<ValueOf<typeof goodFirst$>, FulfilledOutcome<GetUserEmail, string | null>>>();
  const bad$ = queryBus.outcomes$.pipe(ofType(GetUserEmail), rejected());
  holds<Equal<ValueOf<typeof bad$>, RejectedOutcome<GetUserEmail>>>();
  const allGood$ = commandBus.outcomes$.pipe(fulfilled());
  holds<Equal<ValueOf<typeof allGood$>, FulfilledOutcome>>();
  const allBad$ = commandBus.outcomes$.pipe(rejected());
  holds<Equal<ValueOf<typeof allBad$>, RejectedOutcome>>();
}

export function deliveries(): void {
  const one$ = deliveries$.pipe(ofType(CreateUser));
  holds<Equal<ValueOf<typeof one$>, Delivery<CreateUser>>>();
  const several$ = deliveries$.pipe(ofType(CreateUser, Unmarked));
  holds<Equal<ValueOf<typeof several$>["message"], CreateUser | Unmarked>>();
  // @ts-expect-error a stream of something else
  void deliveries$.pipe(ofType("CreateUser"));
}

export function outcome(outcome: Outcome<GetUserEmail, string | null>): string {
  holds<Equal<typeof outcome.envelope, Envelope<GetUserEmail>>>();
  holds<Equal<typeof outcome.durationMs, number>>();
  if (outcome.status === "fulfilled") {
    holds<Equal<typeof outcome.value, string | null>>();
    return outcome.value ?? "";
  }
  // @ts-expect-error a rejected outcome has no value
  void outcome.value;
  const reason: unknown = outcome.reason;
  return String(reason);
}

export function settled(settled: PromiseSettledResult<void>, outcome: Outcome<CreateUser, void>): void {
  settled = outcome;
  void settled;
}

export function delivery(delivery: Delivery<CreateUser, void>): void {
  holds<Equal<typeof delivery.message, CreateUser>>();
  holds<Equal<typeof delivery.settled$, Observable<PromiseSettledResult<void>>>>();
  const other = delivery.with(new Unmarked("x"));
  holds<Equal<typeof other, Delivery<Unmarked, void>>>();
  const fork = delivery.fork();
  holds<Equal<typeof fork, Delivery<CreateUser, void>>>();
  delivery.fork(new CreateUser("u1", ""));
  delivery.resolve();
  delivery.reject(new Error("no"));
  const all: Delivery = delivery;
  void all;
}

export function envelope(): void {
  const made = Envelope.of(new CreateUser("u1", ""), { headers: { tenant: "t1" } });
  holds<Equal<typeof made, Envelope<CreateUser>>>();
  const read = Envelope.fromJSON("{}", CreateUser);
  holds<Equal<typeof read.payload, CreateUser>>();
  holds<Equal<typeof read.meta, MessageMeta>>();
  const all: Envelope = made;
  void all;
  // @ts-expect-error an envelope does not change
  made.payload = new CreateUser("u2", "");
  // @ts-expect-error nor does what it says
  made.meta.version = 2;
  // @ts-expect-error nor its headers
  made.meta.headers["tenant"] = "t2";
}

export function snapshots(): void {
  const live = queryBus.watch(new GetUserEmail("u1"));
  // Passed on without its object, as useSyncExternalStore does.
  const { getSnapshot } = live;
  const snapshot = getSnapshot();
  holds<Equal<typeof snapshot, LiveSnapshot<string | null>>>();
  holds<Equal<ValueOf<typeof live.snapshot$>, LiveSnapshot<string | null>>>();
  holds<Equal<ValueOf<typeof live>, string | null>>();
  if (snapshot.status === "value") holds<Equal<typeof snapshot.value, string | null>>();
  if (snapshot.status === "pending") holds<Equal<typeof snapshot.value, undefined>>();
  holds<Equal<typeof snapshot.value, string | null | undefined>>();
  // @ts-expect-error a snapshot is read-only
  snapshot.status = "error";
}
