// The checklist of operators, for middleware that never waits; the specs of overlap, timeLimit and retrying have it for theirs.
import { describe, expect, it } from "@jest/globals";
import { Query, type Delivery, type Middleware } from "cqrx";
import { authorization, batching, caching, coalescing, idempotency, validation } from "cqrx/middleware";
import { delivery, marbles, type TestDelivery } from "cqrx/testing";
import { map, of, Subject, tap } from "rxjs";

class Find extends Query<number> {
  readonly id: number;

  constructor(id: number) {
    super();
    this.id = id;
  }
}

type Operator = Middleware<Find, number>;
const boom = new Error("boom");
/** Fails for the second one. */
const checked = <T>(id: number, value: T): T => {
  if (id === 2) throw boom;
  return value;
};
const finds = (): Record<"a" | "b" | "c", TestDelivery<Find, number>> => ({
  a: delivery<Find, number>(new Find(1)),
  b: delivery<Find, number>(new Find(2)),
  c: delivery<Find, number>(new Find(3)),
});
const schemaOf = (validate: (find: Find) => Find) =>
  ({ "~standard": { version: 1, vendor: "spec", validate: (value: unknown) => ({ value: validate(value as Find) }) } }) as const; // prettier-ignore
const valid = (validate: (find: Find) => Find): Operator =>
  validation<Find, number>({ schemas: new Map([[Find, schemaOf(validate)]]) });

describe.each<[string, () => Operator, throwing: () => Operator, forwards?: boolean]>([
  [
    "idempotency",
    () => idempotency({ store: new Map(), key: ({ id }) => String(id) }),
    () => idempotency({ store: new Map(), key: ({ id }) => checked(id, String(id)) }),
  ],
  ["validation", () => valid(({ id }) => new Find(id)), () => valid(({ id }) => checked(id, new Find(id)))],
  ["authorization", () => authorization(() => true), () => authorization(({ id }) => checked(id, true))],
  [
    "caching",
    () => caching({ store: new Map() }),
    () => caching({ store: new Map(), key: ({ id }) => checked(id, id) }),
  ],
  ["coalescing", () => coalescing(), () => coalescing({ key: ({ id }) => checked(id, id) })],
  [
    "batching",
    () => batching<Find, number>({ maxSize: 1, load: ([find]) => [find!.id] }),
    () => batching<Find, number>({ maxSize: 1, load: ([find]) => [checked(find!.id, find!.id)] }),
    false,
  ],
])("%s as an operator", (_, make, throwing, forwards = true) => {
  const id = map(({ message }: Delivery<Find, number>) => String(message.id));
  /** The rest of the pipeline. */
  const settle = tap((out: Delivery<Find, number>) => out.resolve(out.message.id));
  /** Leaves out forwarded deliveries for middleware that forwards none. */
  const forwarded = (diagram: string): string => (forwards ? diagram : diagram.replace(/[123]/g, "-"));

  it("never, empty and error: as the source", () =>
    marbles(({ cold, expectObservable }) => {
      for (const source of ["---", "--|", "--#"])
        expectObservable(cold<Delivery<Find, number>>(source).pipe(make())).toBe(source);
    }));

  it("one: passes at once, and completes with it", () =>
    marbles(({ cold, expectObservable }) => {
      const source = cold<Delivery<Find, number>>("-a--|", finds());
      expectObservable(source.pipe(make(), settle, id)).toBe(forwarded("-1--|"));
    }));

  it("one that is not settled: completes when it is", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = finds();
      const source = cold<Delivery<Find, number>>("-a--|", values);
      expectObservable(source.pipe(make(), id)).toBe(forwards ? "-1---" : "----|");
      flush();
      values.a.resolve(1);
    }));

  it("many: each on its own", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = finds();
      const source = cold<Delivery<Find, number>>("-a-b-c|", values);
      expectObservable(source.pipe(make(), settle, id)).toBe(forwarded("-1-2-3|"));
      flush();
      expect(Object.values(values).map(({ settlement }) => settlement)).toMatchObject(
        [1, 2, 3].map((value) => ({ status: "fulfilled", value })),
      );
    }));

  it("throw: an error for one delivery rejects it, and the others pass", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = finds();
      const source = cold<Delivery<Find, number>>("-a-b-c|", values);
      expectObservable(source.pipe(throwing(), settle, id)).toBe(forwarded("-1---3|"));
      flush();
      expect(values.b.settlement).toEqual({ status: "rejected", reason: boom });
      expect(values.c.settlement).toMatchObject({ status: "fulfilled" });
    }));

  it("unsubscribe: leaves the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold<Delivery<Find, number>>("-a-b-c|", finds());
      const unsub = "                              ^-!";
      expectObservable(source.pipe(make(), id), unsub).toBe(forwarded("-1-"));
      expectSubscriptions(source.subscriptions).toBe(unsub);
    }));

  it("synchronous: all at once", () => {
    const { a, b } = finds();
    const seen: string[] = [];
    of(a, b)
      .pipe(make(), settle, id)
      .subscribe({ next: (out) => seen.push(out), complete: () => seen.push("complete") });
    expect(seen).toEqual([...(forwards ? ["1", "2"] : []), "complete"]);
  });

  it("re-entrant: a delivery that arrives while another is forwarded or settled goes through at once", () => {
    const { a, b } = finds();
    const source = new Subject<Delivery<Find, number>>();
    const seen: string[] = [];
    if (!forwards) a.settled$.subscribe(() => source.next(b));
    source.pipe(make()).subscribe((out) => {
      seen.push(`begin ${out.message.id}`);
      if (out.message.id === 1) source.next(b);
      out.resolve(out.message.id);
      seen.push(`end ${out.message.id}`);
    });
    source.next(a);
    expect(seen).toEqual(forwards ? ["begin 1", "begin 2", "end 2", "end 1"] : []);
    expect([a.settlement, b.settlement]).toMatchObject([{ status: "fulfilled" }, { status: "fulfilled" }]);
  });

  it("a value that is not a delivery is an error", () => {
    let failed: unknown;
    of(5 as unknown as Delivery<Find, number>)
      .pipe(make())
      .subscribe({ error: (error: unknown) => (failed = error) });
    expect(failed).toMatchObject({ code: "MIDDLEWARE_CRASHED" });
  });
});
