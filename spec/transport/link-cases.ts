import { describe, expect, it } from "@jest/globals";
import {
  CommandBus,
  Envelope,
  EventBus,
  EventHandlersFailedError,
  HandlerNotFoundError,
  InvalidMessageError,
  PayloadTooLargeError,
  QueryBus,
  type HandlerContext,
} from "cqrx";
import {
  Link,
  LinkClosedError,
  memoryInbox,
  NotSentError,
  OutcomeUnknownError,
  RemoteError,
  SlowConsumerError,
  UnrecoverableError,
  type LinkState,
} from "cqrx/transport";
import { Observable, Subject, finalize, interval, lastValueFrom, range, take, toArray } from "rxjs";
import { withTraps } from "../support/traps.js";
import {
  CancelOrder,
  CountOrders,
  GetOrder,
  Numbers,
  OrderPlaced,
  OrderShipped,
  OutOfStock,
  PlaceOrder,
  QUICK,
  SOON,
  until,
  type World,
} from "./support.js";
import { useWorld } from "./harness.js";

/** What every pair of links must do, on any transport. */
export function linkCases(name: string, makeWorld: () => Promise<World>): void {
  describe(`links over ${name}`, () => {
    const { join, pair, canary, crash, restart } = useWorld(makeWorld);

    describe("calls", () => {
      it("dispatch resolves when the remote handler has succeeded; causation, headers and payload cross", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const seen: HandlerContext<PlaceOrder>[] = [];
        there.register(PlaceOrder, (_, context) => void seen.push(context));
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        const cause = Envelope.of(new OrderPlaced("o0"));
        const sent = Envelope.of(new PlaceOrder("o1", 5n), { causedBy: cause, headers: { tenant: "t1" } });
        await here.dispatch(sent);
        expect(seen).toHaveLength(1);
        expect(seen[0]!.envelope.payload).toStrictEqual(new PlaceOrder("o1", 5n));
        expect(seen[0]!.envelope.meta).toEqual(sent.meta);
      });

      it("describe() shows that a type is remote, and unsubscribing frees the type", async () => {
        const { near } = await pair();
        const here = new CommandBus();
        const route = near.route(here, [PlaceOrder, CancelOrder]);
        expect(here.describe().handlers.map(({ handlers }) => handlers[0])).toEqual([
          `remote(${near.transport.name})`,
          `remote(${near.transport.name})`,
        ]);
        route.unsubscribe();
        expect(here.describe().handlers).toEqual([]);
      });

      it("ask brings any value back that JSON can be made to keep", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        const at = new Date(5);
        there.register(GetOrder, ({ orderId }) => (orderId === "o1" ? { id: orderId, at } : undefined));
        await far.serve(there, [GetOrder]);
        near.route(here, [GetOrder]);
        await expect(here.ask(new GetOrder("o1"))).resolves.toStrictEqual({ id: "o1", at });
        await expect(here.ask(new GetOrder("o2"))).resolves.toBeUndefined();
      });

      it("116 a listed error comes back as an instance with its fields and causes; any other as a RemoteError without its text", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        there.register(PlaceOrder, ({ orderId }) => {
          if (orderId === "listed")
            throw Object.assign(new OutOfStock("s1"), { cause: new OutOfStock("s2") });
          if (orderId === "core") throw new InvalidMessageError("It is wrong.", { path: "payload.orderId" });
          throw new TypeError("secret");
        });
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        const listed = await here.dispatch(new PlaceOrder("listed")).catch((error: unknown) => error);
        expect(listed).toBeInstanceOf(OutOfStock);
        expect(listed).toMatchObject({ name: "OutOfStock", sku: "s1", message: "s1 is out of stock" });
        expect((listed as Error).cause).toBeInstanceOf(OutOfStock);
        const core = await here.dispatch(new PlaceOrder("core")).catch((error: unknown) => error);
        expect(core).toBeInstanceOf(InvalidMessageError);
        expect(core).toMatchObject({ path: "payload.orderId", code: "INVALID_MESSAGE" });
        const other = await here.dispatch(new PlaceOrder("other")).catch((error: unknown) => error);
        expect(other).toBeInstanceOf(RemoteError);
        expect(other).toMatchObject({ remoteName: "TypeError", messageType: "PlaceOrder" });
        expect(JSON.stringify(other) + (other as Error).message + (other as Error).stack).not.toContain(
          "secret",
        );
      });

      it("135 without a process that serves the type, HandlerNotFoundError comes at once", async () => {
        const near = await join({ ...QUICK, timeoutMs: 3_600_000, heartbeatMs: 3_600_000 });
        const here = new CommandBus();
        near.route(here, [PlaceOrder]);
        await expect(here.dispatch(new PlaceOrder("o1"))).rejects.toThrow(HandlerNotFoundError);
      });

      it("an abort of the caller reaches the remote handler's signal, before and after its first frame", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const reasons: unknown[] = [];
        let started = 0;
        there.register(PlaceOrder, (_, { signal }) => {
          started++;
          signal.addEventListener("abort", () => reasons.push((signal.reason as Error).name));
          return new Promise<void>(() => undefined);
        });
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        const controller = new AbortController();
        const dispatched = here.dispatch(new PlaceOrder("o1"), { signal: controller.signal });
        await until(() => started === 1);
        controller.abort(new Error("changed my mind"));
        await expect(dispatched).rejects.toThrow("changed my mind");
        await until(() => reasons.length === 1);
        expect(reasons).toEqual(["AbortError"]);
        expect(there.inFlight).toBe(0);
      });

      it("the time limit of a call that was sent is OutcomeUnknownError with its id, and the handler is aborted", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        there.register(PlaceOrder, () => new Promise<void>(() => undefined));
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder], { timeoutMs: 500 });
        const envelope = Envelope.of(new PlaceOrder("o1"));
        const error = await here.dispatch(envelope).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(OutcomeUnknownError);
        expect(error).toMatchObject({ id: envelope.meta.id, code: "OUTCOME_UNKNOWN" });
        await until(() => there.inFlight === 0);
      });

      it("a call longer than three heartbeats goes on while both processes live", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        let finish!: () => void;
        there.register(CountOrders, () => new Promise<number>((resolve) => (finish = () => resolve(7))));
        await far.serve(there, [CountOrders]);
        near.route(here, [CountOrders]);
        const asked = here.ask(new CountOrders());
        await lastValueFrom(interval(300).pipe(take(5)), { defaultValue: 0 });
        finish();
        await expect(asked).resolves.toBe(7);
      });

      it("a subclass that is not listed goes to its local handler only, and two classes of one name are refused", async () => {
        const { near } = await pair();
        class UrgentOrder extends PlaceOrder {}
        const here = new CommandBus();
        const local: object[] = [];
        near.route(here, [PlaceOrder]);
        here.register(UrgentOrder, (order) => void local.push(order));
        await here.dispatch(new UrgentOrder("o1"));
        expect(local).toHaveLength(1);
        const Other = { PlaceOrder: class PlaceOrder {} }.PlaceOrder;
        expect(() => near.route(new CommandBus(), [Other])).toThrow(/classes of different names/);
      });

      it("refuses wrong options by name, and one bus that routes and serves a type", async () => {
        const { near } = await pair();
        const bus = new CommandBus();
        expect(() => near.route(bus, [PlaceOrder], { untill: "stored" } as never)).toThrow(
          "unknown option untill",
        );
        expect(() => near.route(bus, [])).toThrow("types must be an array of message classes");
        expect(() => near.route(new QueryBus(), [GetOrder], { until: "stored" })).toThrow(
          '"handled" for queries',
        );
        expect(() => new Link(near.transport, { timeoutMs: 0 })).toThrow("timeoutMs");
        near.route(bus, [PlaceOrder]);
        await expect(near.serve(bus, [PlaceOrder])).rejects.toThrow("not both on one bus");
        await expect(near.serve(new EventBus(), [OrderPlaced])).rejects.toThrow("group");
      });

      it("109 a message or a result that is too large is refused with its size, and nothing is sent", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        const big = "x".repeat(near.transport.features.maxBytes);
        there.register(GetOrder, ({ orderId }) => ({ id: orderId + big, at: new Date() }));
        await far.serve(there, [GetOrder]);
        near.route(here, [GetOrder]);
        await expect(here.ask(new GetOrder(big))).rejects.toThrow(PayloadTooLargeError);
        await expect(here.ask(new GetOrder("o1"))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
        await canary(near, far);
      });

      it("113 any type name is its own address", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        const types = ["a.b", "a.*", "a.>", "a", " ", "$x y", "ä€%2E", "a\r\nb"].map((messageName) => {
          const type = class {
            static readonly messageName = messageName;
          };
          there.register(type, () => void handled.push(messageName));
          return type;
        });
        await far.serve(there, types);
        near.route(here, types);
        for (const type of types) await here.dispatch(new type());
        expect(handled).toEqual(types.map(({ messageName }) => messageName));
      });
    });

    describe("streams", () => {
      it("ask$ brings 5,000 values in order, with more than the credit", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        there.register(Numbers, ({ count }) => ({
          async *[Symbol.asyncIterator]() {
            for (let at = 0; at < count; at++) yield at;
          },
        }));
        await far.serve(there, [Numbers]);
        near.route(here, [Numbers]);
        const values = await lastValueFrom(here.ask$(new Numbers(5_000)).pipe(toArray()), {
          defaultValue: [],
        });
        expect(values).toEqual(Array.from({ length: 5_000 }, (_, at) => at));
      });

      it("ask$ brings all values at streamCredit: Infinity", async () => {
        const [near, far] = [await join({ ...QUICK, streamCredit: Infinity }), await join()];
        const [here, there] = [new QueryBus(), new QueryBus()];
        there.register(Numbers, ({ count }) => range(0, count));
        await far.serve(there, [Numbers]);
        near.route(here, [Numbers]);
        expect(await lastValueFrom(here.ask$(new Numbers(3)).pipe(toArray()), { defaultValue: [] })).toEqual([
          0, 1, 2,
        ]);
        await canary(near, far);
      });

      it("unsubscribing stops the remote stream", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        let open = 0;
        there.register(
          Numbers,
          () =>
            new Observable<number>((subscriber) => {
              open++;
              subscriber.next(1);
              return () => void open--;
            }),
        );
        await far.serve(there, [Numbers]);
        near.route(here, [Numbers]);
        const values: number[] = [];
        const subscription = here.ask$(new Numbers(0)).subscribe((value) => values.push(value));
        await until(() => values.length === 1);
        expect(open).toBe(1);
        subscription.unsubscribe();
        await until(() => open === 0);
      });

      it("an error of the stream arrives after its values", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        there.register(
          Numbers,
          () =>
            new Observable<number>((subscriber) => {
              subscriber.next(1);
              subscriber.next(2);
              subscriber.error(new OutOfStock("s1"));
            }),
        );
        await far.serve(there, [Numbers]);
        near.route(here, [Numbers]);
        const values: number[] = [];
        const error = await new Promise((resolve) =>
          here.ask$(new Numbers(0)).subscribe({ next: (value) => values.push(value), error: resolve }),
        );
        expect(values).toEqual([1, 2]);
        expect(error).toBeInstanceOf(OutOfStock);
      });

      it("a handler that pushes without end is stopped with SlowConsumerError instead of filling the memory", async () => {
        const near = await join({ ...QUICK, streamCredit: 10 });
        const far = await join({ ...QUICK, streamBuffer: 100 });
        const [here, there] = [new QueryBus(), new QueryBus()];
        there.register(
          Numbers,
          () =>
            new Observable<number>((subscriber) => {
              for (let at = 0; !subscriber.closed && at < 100_000; at++) subscriber.next(at);
            }),
        );
        await far.serve(there, [Numbers]);
        near.route(here, [Numbers]);
        const error = await lastValueFrom(here.ask$(new Numbers(0)), { defaultValue: 0 }).catch(
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(SlowConsumerError);
        await canary(near, far);
      });

      it("watch follows a live query of another process, and survives that process", async () => {
        const { near, far } = await pair();
        const here = new QueryBus();
        near.route(here, [CountOrders]);
        const process = async (link: Link, start: number): Promise<(count: number) => void> => {
          const there = new QueryBus();
          const refresh = new Subject<void>();
          let count = start;
          there.register(CountOrders, () => count, { refreshOn: refresh });
          await link.serve(there, [CountOrders]);
          return (next) => {
            count = next;
            refresh.next();
          };
        };
        const set = await process(far, 1);
        const seen: number[] = [];
        const subscription = here.watch(new CountOrders()).subscribe((count) => seen.push(count));
        await until(() => seen.at(-1) === 1);
        set(2);
        await until(() => seen.at(-1) === 2);
        await process(await join(), 50);
        await far.close();
        await until(() => seen.at(-1) === 50);
        subscription.unsubscribe();
        expect(seen[0]).toBe(1);
      });
    });

    describe("stored messages", () => {
      it("until: stored resolves when the message is stored, and a process that comes later handles it", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelope = Envelope.of(new PlaceOrder("o1", 3n), { headers: { tenant: "t1" } });
        await here.dispatch(envelope);
        const seen: HandlerContext<PlaceOrder>[] = [];
        there.register(PlaceOrder, (_, context) => void seen.push(context));
        await far.serve(there, [PlaceOrder]);
        await until(() => seen.length === 1);
        expect(seen[0]!.envelope.payload).toStrictEqual(new PlaceOrder("o1", 3n));
        expect(seen[0]!.envelope.meta).toEqual(envelope.meta);
      });

      it("events reach one process of each group, and the local handlers as well", async () => {
        const near = await join();
        const here = new EventBus();
        const local: string[] = [];
        const groups: Record<string, string[]> = { billing: [], shipping: [] };
        for (const group of ["billing", "billing", "shipping"]) {
          const there = new EventBus();
          there.register(OrderPlaced, ({ orderId }) => void groups[group]!.push(orderId));
          await (await join()).serve(there, [OrderPlaced], { group });
        }
        near.route(here, [OrderPlaced]);
        here.register(OrderPlaced, ({ orderId }) => void local.push(orderId));
        const ids = Array.from({ length: 20 }, (_, at) => `o${at}`);
        await Promise.all(ids.map((id) => here.publish(new OrderPlaced(id))));
        expect(local).toHaveLength(20);
        await until(() => groups["billing"]!.length >= 20 && groups["shipping"]!.length >= 20);
        expect(groups["billing"]!.sort()).toEqual([...ids].sort());
        expect(groups["shipping"]!.sort()).toEqual([...ids].sort());
      });

      it("128 a message that always fails is tried maxAttempts times and goes to the dead letters with its headers", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        let attempts = 0;
        there.register(PlaceOrder, () => {
          attempts++;
          throw new OutOfStock("s1");
        });
        await far.serve(there, [PlaceOrder], { ...SOON, maxAttempts: 3, group: "g" });
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelope = Envelope.of(new PlaceOrder("o1"), { headers: { tenant: "t1" } });
        await here.dispatch(envelope);
        await until(async () => (await far.deadLetters.list()).length === 1);
        expect(attempts).toBe(3);
        const [letter] = await far.deadLetters.list();
        expect(letter).toMatchObject({
          messageId: envelope.meta.id,
          messageType: "PlaceOrder",
          reason: "max-attempts",
          attempts: 3,
          group: "g",
          replayCount: 0,
        });
        expect(letter!.detail).toContain("OutOfStock");
        expect(new TextDecoder().decode(letter!.body)).toContain('"tenant":"t1"');
        await canary(near, far);
      });

      it("141 a dead letter is replayed with attempts counted anew, or discarded", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        let broken = true;
        there.register(PlaceOrder, (_, { envelope }) => {
          if (broken) throw new UnrecoverableError("It is broken.");
          handled.push(envelope.meta.correlationId);
        });
        await far.serve(there, [PlaceOrder], { ...SOON, inbox: memoryInbox() });
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelope = Envelope.of(new PlaceOrder("o1"), { correlationId: "c1" });
        await here.dispatch(envelope);
        const one = async (): Promise<boolean> => (await far.deadLetters.list()).length === 1;
        await until(one);
        expect((await far.deadLetters.list())[0]).toMatchObject({ reason: "unrecoverable", attempts: 1 });
        await far.deadLetters.replay((await far.deadLetters.list())[0]!.id);
        await until(async () => (await one()) && (await far.deadLetters.list())[0]!.replayCount === 1);
        broken = false;
        await far.deadLetters.replay((await far.deadLetters.list())[0]!.id);
        await until(() => handled.length === 1);
        expect(handled).toEqual(["c1"]);
        expect(await far.deadLetters.list()).toEqual([]);
        await expect(far.deadLetters.discard("none")).rejects.toThrow("There is no dead letter none");
      });

      it("127 an id that is sent twice has one effect", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
        await far.serve(there, [PlaceOrder], { inbox: memoryInbox() });
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelope = Envelope.of(new PlaceOrder("twice"));
        await Promise.all([here.dispatch(envelope), here.dispatch(envelope)]);
        await here.dispatch(envelope);
        await here.dispatch(new PlaceOrder("last"));
        await until(() => handled.includes("last"));
        expect(handled).toEqual(["twice", "last"]);
      });

      it("102 bytes that are not a message go to the dead letters, and the next message is handled", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder], { until: "stored" });
        const bodies = [
          Uint8Array.of(),
          Uint8Array.of(0xff, 0xfe),
          Buffer.from('{"meta":'),
          Buffer.from("[1]"),
        ];
        for (const [at, body] of bodies.entries())
          await near.transport.append(
            "s.c.0.PlaceOrder",
            { headers: { "cqrx-type": "PlaceOrder", "cqrx-id": `bad${at}` }, body: new Uint8Array(body) },
            { id: `bad${at}`, type: "PlaceOrder", signal: new AbortController().signal, timeoutMs: 20_000 },
          );
        await here.dispatch(new PlaceOrder("good"));
        await until(() => handled.length === 1);
        await until(async () => (await far.deadLetters.list()).length === bodies.length);
        const letters = await far.deadLetters.list();
        expect(letters.map(({ reason }) => reason)).toEqual(bodies.map(() => "undecodable"));
        expect(letters.map(({ body }) => [...body])).toEqual(bodies.map((body) => [...body]));
      });

      it("103 a version that cannot be read here is left to newer processes, or is a dead letter, by policy", async () => {
        const { near, far } = await pair();
        const Newer = { OrderShipped: class OrderShipped {} }.OrderShipped;
        Object.assign(Newer, { version: 2 });
        const [here, there] = [new EventBus(), new EventBus()];
        near.route(here, [Newer]);
        await far.serve(there, [OrderShipped], { group: "old", ...SOON });
        await here.publish(new Newer());
        await until(async () => (await far.deadLetters.list()).length === 1);
        expect((await far.deadLetters.list())[0]).toMatchObject({ reason: "unknown-type", attempts: 1 });
      });

      it("order: key keeps the order of each key, also while a message of it is retried", async () => {
        const { near, far } = await pair();
        const [here, there] = [new EventBus(), new EventBus()];
        const seen: Record<string, number[]> = {};
        const failed = new Set<string>();
        there.register(OrderPlaced, async ({ orderId, step }) => {
          await new Promise((resolve) => setImmediate(resolve));
          if (step === 1 && !failed.has(orderId)) {
            failed.add(orderId);
            throw new Error("once");
          }
          (seen[orderId] ??= []).push(step);
        });
        await far.serve(there, [OrderPlaced], { group: "ordered", order: "key", ...SOON });
        near.route(here, [OrderPlaced]);
        for (let step = 0; step < 5; step++)
          for (let key = 0; key < 6; key++) await here.publish(new OrderPlaced(`k${key}`, step));
        await until(() => Object.values(seen).flat().length === 30);
        for (const steps of Object.values(seen)) expect(steps).toEqual([0, 1, 2, 3, 4]);
      });

      it("replay$ reads all events of the types in order, and those to come", async () => {
        const { near, far } = await pair();
        const here = new EventBus();
        near.route(here, [OrderPlaced, OrderShipped]);
        await here.publish(new OrderPlaced("o1"));
        await here.publish(new OrderShipped("o1"));
        await here.publish(new OrderPlaced("o2"));
        const seen: string[] = [];
        const subscription = far
          .replay$([OrderPlaced])
          .subscribe(({ payload }) => seen.push((payload as OrderPlaced).orderId));
        await until(() => seen.length === 2);
        await here.publish(new OrderPlaced("o3"));
        await until(() => seen.length === 3);
        expect(seen).toEqual(["o1", "o2", "o3"]);
        subscription.unsubscribe();
      });

      it("close() ends everything although the teardown of a subscriber to replay$ throws", async () => {
        const { near, far } = await pair();
        const [here, there] = [new EventBus(), new EventBus()];
        const torn: string[] = [];
        for (const name of ["first", "second"])
          far
            .replay$([OrderPlaced])
            .pipe(
              finalize(() => {
                torn.push(name);
                throw new Error(`the teardown of the ${name}`);
              }),
            )
            .subscribe();
        const serving = await far.serve(there, [OrderPlaced], { group: "torn" });
        await expect(far.close()).rejects.toThrow("the teardown of the first");
        expect(torn).toEqual(["first", "second"]);
        expect(far.describe()).toMatchObject({ state: "closed", served: [] });
        await serving.close();
        near.route(here, [OrderPlaced]);
        await here.publish(new OrderPlaced("canary"));
      });

      it("a new group with start: all reads the events of before", async () => {
        const { near, far } = await pair();
        const [here, there] = [new EventBus(), new EventBus()];
        near.route(here, [OrderPlaced]);
        await here.publish(new OrderPlaced("o1"));
        const seen: string[] = [];
        there.register(OrderPlaced, ({ orderId }) => void seen.push(orderId));
        await far.serve(there, [OrderPlaced], { group: "late", start: "all" });
        await until(() => seen.length === 1);
        expect(seen).toEqual(["o1"]);
      });

      it("events go as CloudEvents for other consumers, and come back as messages", async () => {
        const { near, far } = await pair();
        const [here, there] = [new EventBus(), new EventBus()];
        const seen: Envelope[] = [];
        there.register(OrderPlaced, (_, { envelope }) => void seen.push(envelope));
        await far.serve(there, [OrderPlaced], { group: "g" });
        near.route(here, [OrderPlaced], { format: "cloudevents" });
        const envelope = Envelope.of(new OrderPlaced("o1"), { headers: { tenant: "t" }, causationId: "c0" });
        await here.publish(envelope);
        await until(() => seen.length === 1);
        expect(seen[0]!.payload).toStrictEqual(envelope.payload);
        expect(seen[0]!.meta).toEqual(envelope.meta);
      });

      it("146 a handler longer than ackWaitMs is kept alive and runs once", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        let runs = 0;
        let ended = 0;
        there.register(PlaceOrder, async () => {
          runs++;
          await lastValueFrom(interval(200).pipe(take(5)), { defaultValue: 0 });
          ended++;
        });
        await far.serve(there, [PlaceOrder], { ackWaitMs: 400 });
        near.route(here, [PlaceOrder], { until: "stored" });
        await here.dispatch(new PlaceOrder("o1"));
        await until(() => ended === 1);
        expect(runs).toBe(1);
      });
    });

    describe("faults", () => {
      it("123 a dispatch while the server is down settles, and goes on by itself when it is back", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder], { timeoutMs: 700 });
        const states: LinkState[] = [];
        near.state$.subscribe((state) => states.push(state));
        await crash();
        await until(() => states.at(-1) === "disconnected");
        await expect(here.dispatch(new PlaceOrder("down"))).rejects.toThrow(NotSentError);
        await restart();
        await until(() => states.at(-1) === "connected");
        await until(async () => {
          await here.dispatch(new PlaceOrder("back")).catch(() => undefined);
          return handled.includes("back");
        });
        expect(handled).not.toContain("down");
      });

      it("124 a stored command that is sent while the server is down is stored when it is back", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        const handled: string[] = [];
        there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder], { until: "stored" });
        await crash();
        const dispatched = here.dispatch(new PlaceOrder("waits"));
        await restart();
        await dispatched;
        await until(() => handled.length === 1);
        expect(handled).toEqual(["waits"]);
      });

      it("134 a process that dies with a call rejects it with OutcomeUnknownError", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        let started = false;
        there.register(PlaceOrder, () => {
          started = true;
          return new Promise<void>(() => undefined);
        });
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        const dispatched = here.dispatch(new PlaceOrder("o1")).catch((error: unknown) => error);
        await until(() => started);
        await far.transport.close();
        expect(await dispatched).toBeInstanceOf(OutcomeUnknownError);
      });

      it("a caller that dies aborts the remote handler within three heartbeats", async () => {
        const { near, far } = await pair();
        const [here, there] = [new CommandBus(), new CommandBus()];
        let aborted = false;
        let started = false;
        there.register(PlaceOrder, (_, { signal }) => {
          started = true;
          signal.addEventListener("abort", () => (aborted = true));
          return new Promise<void>(() => undefined);
        });
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        const dispatched = here.dispatch(new PlaceOrder("o1")).catch((error: unknown) => error);
        await until(() => started);
        await near.transport.close();
        await until(() => aborted);
        await dispatched;
      });
    });

    describe("closing", () => {
      it("56 20 running calls are answered, and nothing new is taken", async () => {
        const { near, far } = await pair();
        const [here, there] = [new QueryBus(), new QueryBus()];
        const finish: (() => void)[] = [];
        there.register(CountOrders, () => new Promise<number>((resolve) => finish.push(() => resolve(1))));
        await far.serve(there, [CountOrders]);
        near.route(here, [CountOrders]);
        const asked = Array.from({ length: 20 }, () => here.ask(new CountOrders()));
        await until(() => finish.length === 20);
        const closed = far.close();
        for (const each of finish) each();
        await expect(Promise.all(asked)).resolves.toEqual(new Array(20).fill(1));
        await expect(closed).resolves.toEqual({ finished: 20, aborted: [], abandoned: [] });
        await expect(here.ask(new CountOrders())).rejects.toThrow(HandlerNotFoundError);
      });

      it("56 stored commands that were not started run on another process, each once", async () => {
        const { near, far } = await pair();
        const here = new CommandBus();
        const ran: string[] = [];
        let finish!: () => void;
        const finished = new Promise<void>((resolve) => (finish = resolve));
        const slow = new CommandBus();
        slow.register(PlaceOrder, ({ orderId }) => finished.then(() => void ran.push(orderId)));
        await far.serve(slow, [PlaceOrder], { concurrency: 3 });
        near.route(here, [PlaceOrder], { until: "stored" });
        const ids = Array.from({ length: 13 }, (_, at) => `o${at}`);
        await Promise.all(ids.map((id) => here.dispatch(new PlaceOrder(id))));
        await until(() => slow.inFlight === 3);
        const closed = far.close();
        const quick = new CommandBus();
        quick.register(PlaceOrder, ({ orderId }) => void ran.push(orderId));
        await (await join()).serve(quick, [PlaceOrder]);
        await until(() => ran.length === 10);
        finish();
        await closed;
        await until(() => ran.length >= 13);
        expect([...ran].sort()).toEqual([...ids].sort());
      });

      it("every promise settles when a link is closed: calls that wait, and those that come later", () =>
        withTraps(async () => {
          const { near, far } = await pair();
          const [here, there] = [new CommandBus(), new CommandBus()];
          const events = new EventBus();
          let started = 0;
          there.register(PlaceOrder, () => {
            started++;
            return new Promise<void>(() => undefined);
          });
          await far.serve(there, [PlaceOrder]);
          near.route(here, [PlaceOrder]);
          near.route(events, [OrderPlaced]);
          const pending = Array.from({ length: 10 }, () =>
            here.dispatch(new PlaceOrder("o")).catch((error: unknown) => error),
          );
          await until(() => started === 10);
          await near.close();
          for (const error of await Promise.all(pending)) expect(error).toBeInstanceOf(OutcomeUnknownError);
          await expect(here.dispatch(new PlaceOrder("late"))).rejects.toThrow(LinkClosedError);
          const failed = await events.publish(new OrderPlaced("late")).catch((error: unknown) => error);
          expect(failed).toBeInstanceOf(EventHandlersFailedError);
          expect((failed as EventHandlersFailedError).errors[0]).toBeInstanceOf(LinkClosedError);
          expect(near.close()).toBe(near.close());
        }));

      it("close reports what it aborted, and of that what did not stop", async () => {
        const { near, far } = await pair();
        const [asking, here, there, stored] = [
          new QueryBus(),
          new CommandBus(),
          new QueryBus(),
          new CommandBus(),
        ];
        const never = new Promise<never>(() => undefined);
        there.register(GetOrder, ({ orderId }, { signal }) =>
          orderId === "deaf"
            ? never
            : new Promise((_, reject) =>
                signal.addEventListener("abort", () => reject(signal.reason as Error)),
              ),
        );
        stored.register(PlaceOrder, () => never);
        await far.serve(there, [GetOrder]);
        await far.serve(stored, [PlaceOrder]);
        near.route(asking, [GetOrder]);
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelopes = ["deaf", "hears"].map((orderId) => Envelope.of(new GetOrder(orderId)));
        const asked = envelopes.map((envelope) => asking.ask(envelope).catch((error: unknown) => error));
        const command = Envelope.of(new PlaceOrder("o1"));
        await here.dispatch(command);
        await until(() => there.inFlight === 2 && stored.inFlight === 1);
        const { finished, aborted, abandoned } = await far.close({ timeoutMs: 20 });
        const [deaf, hears] = envelopes.map(({ meta }) => meta.id);
        expect(finished).toBe(0);
        expect([...aborted].sort()).toEqual([deaf, hears, command.meta.id].sort());
        expect([...abandoned].sort()).toEqual([deaf, command.meta.id].sort());
        for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(Error);
      });

      it("a handler that does not end is aborted at the deadline, and its stored message is given back", async () => {
        const { near, far } = await pair();
        const [here, stuck] = [new CommandBus(), new CommandBus()];
        let started = false;
        stuck.register(PlaceOrder, () => {
          started = true;
          return new Promise<void>(() => undefined);
        });
        await far.serve(stuck, [PlaceOrder]);
        near.route(here, [PlaceOrder], { until: "stored" });
        const envelope = Envelope.of(new PlaceOrder("o1"));
        await here.dispatch(envelope);
        await until(() => started);
        const report = await far.close({ timeoutMs: 10 });
        expect(report.aborted).toEqual([envelope.meta.id]);
        const other = new CommandBus();
        const ran: string[] = [];
        other.register(PlaceOrder, ({ orderId }) => void ran.push(orderId));
        await (await join()).serve(other, [PlaceOrder]);
        await until(() => ran.length === 1);
      });
    });
  });
}
