import { describe, expect, it } from "@jest/globals";
import { delay, filter, map, pipe, tap } from "rxjs";
import { around, shared, when, type Delivery } from "cqrx";
import { delivery, envelope, marbles, type TestDelivery } from "cqrx/testing";
import { CreateUser, DeleteUser, GetName } from "./messages.js";

describe("delivery", () => {
  it("is the same each time: id 1, time 0", () => {
    expect(delivery(new CreateUser("u1")).envelope.meta).toMatchObject({
      id: "1",
      name: "CreateUser",
      version: 1,
      time: 0,
      correlationId: "1",
      headers: {},
    });
  });

  it("takes id, headers and cause", () => {
    const cause = delivery(new DeleteUser("u1"), { id: "cause" });
    const effect = delivery(new CreateUser("u1"), {
      id: "effect",
      causedBy: cause,
      headers: { tenant: "a" },
    });

    expect(effect.envelope.meta).toMatchObject({
      id: "effect",
      causationId: "cause",
      correlationId: "cause",
      headers: { tenant: "a" },
    });
  });

  it("is settled by the first resolve or reject", () => {
    const resolved = delivery(new GetName());
    const rejected = delivery(new GetName());
    const error = new Error("no");

    expect(resolved.settlement).toBeUndefined();
    resolved.resolve("Ada");
    resolved.reject(error);
    rejected.reject(error);

    expect(resolved.settlement).toEqual({ status: "fulfilled", value: "Ada" });
    expect(rejected.settlement).toEqual({ status: "rejected", reason: error });
  });

  it("says on settled$ how it was settled, also to late subscribers", () => {
    const query = delivery(new GetName());
    const seen: unknown[] = [];
    query.settled$.subscribe((how) => seen.push(how));
    query.resolve("Ada");
    query.settled$.subscribe((how) => seen.push(how));

    expect(seen).toEqual([
      { status: "fulfilled", value: "Ada" },
      { status: "fulfilled", value: "Ada" },
    ]);
  });

  it("is settled through copies by with(), and not through forks", () => {
    const first = delivery(new CreateUser("u1"));
    const fork = first.fork();

    fork.resolve();
    expect(first.settlement).toBeUndefined();
    first.with(new DeleteUser("u1")).resolve();
    expect(first.settlement).toEqual({ status: "fulfilled", value: undefined });
  });

  it.each([
    ["abort()", (): TestDelivery => delivery(new CreateUser("u1")), (d: TestDelivery) => d.abort()],
    [
      "a signal that is aborted already",
      () => delivery(new CreateUser("u1"), { signal: AbortSignal.abort() }),
      () => undefined,
    ],
  ])("is cancelled by %s", (_, make, cancel) => {
    const cancelled = make();
    cancel(cancelled);

    expect(cancelled.settlement).toMatchObject({ status: "rejected", reason: { name: "AbortError" } });
    expect(cancelled.signal.aborted).toBe(true);
  });

  it("is cancelled with its signal and with its cause", () => {
    const controller = new AbortController();
    const cause = delivery(new CreateUser("u1"), { signal: controller.signal });
    const effect = delivery(new CreateUser("u2"), { causedBy: cause });

    controller.abort("enough");

    expect([cause.settlement, effect.settlement]).toEqual(
      Array(2).fill({ status: "rejected", reason: "enough" }),
    );
  });

  it("runs through operators in marbles", () => {
    const create = delivery(new CreateUser("u1"));
    const remove = delivery(new DeleteUser("u1"));

    marbles(({ cold, expectObservable }) => {
      const source = cold<Delivery>("-a-b-|", { a: create, b: remove });
      const expected = "             ---a-|";
      const middleware = pipe(
        filter((d: Delivery) => d.message instanceof CreateUser),
        delay(2),
      );
      expectObservable(source.pipe(middleware)).toBe(expected, { a: create });
    });
  });

  it("runs through around, whose result settles it", () => {
    const query = delivery(new GetName());
    const shout = around<GetName, string>((_message, next) => `${next() as string}!`);

    marbles(({ cold, expectObservable }) => {
      const answered = cold<Delivery<GetName, string>>("-a|", { a: query }).pipe(
        shout,
        tap((d) => d.resolve("Ada")),
        map((d) => d.message),
      );
      expectObservable(answered).toBe("-a|", { a: query.message });
    });

    expect(query.settlement).toEqual({ status: "fulfilled", value: "Ada!" });
  });

  it("runs through when and shared, being a delivery like any other", () => {
    const create = delivery(new CreateUser("u1"));
    const remove = delivery(new DeleteUser("u1"));

    marbles(({ cold, expectObservable }) => {
      const source = cold<Delivery>("-ab|", { a: create, b: remove });
      expectObservable(source.pipe(when(CreateUser, delay(3)), shared(tap()))).toBe("--b-(a|)", {
        a: create,
        b: remove,
      });
    });
  });
});

describe("envelope", () => {
  it("is the same each time: id 1, time 0", () => {
    const { payload, meta } = envelope(new CreateUser("u1"));

    expect(payload).toEqual(new CreateUser("u1"));
    expect(meta).toMatchObject({ id: "1", time: 0, name: "CreateUser", correlationId: "1", version: 1 });
  });

  it("takes the given parts", () => {
    const { meta } = envelope(new CreateUser("u1"), { id: "7", time: 5, headers: { tenant: "a" } });

    expect(meta).toMatchObject({ id: "7", correlationId: "7", time: 5, headers: { tenant: "a" } });
  });
});
