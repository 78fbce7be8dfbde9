import { describe, expect, it } from "@jest/globals";
import { CommandBus, Envelope, EventBus, InvalidMessageError, QueryBus } from "cqrx";
import { RemoteError, UnrecoverableError, type DeadLetter, type Link } from "cqrx/transport";
import { from, lastValueFrom, mergeMap, toArray } from "rxjs";
import { useWorld } from "./harness.js";
import {
  CountOrders,
  GetOrder,
  Numbers,
  OrderPlaced,
  PlaceOrder,
  QUICK,
  SOON,
  until,
  type World,
} from "./support.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "then",
  "hasOwnProperty",
  "\0",
  "РlaceOrder",
  "PlaceOrder\0",
];
/** Texts of objects that would change the prototype of all objects if they were merged key by key. */
const POLLUTING = [
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
  '{"a":[{"b":{"__proto__":{"isAdmin":true}}}]}',
  '{"$map":[["a",{"__proto__":{"isAdmin":true}}]]}',
];

/** Stores bytes as another program would. */
async function store(link: Link, address: string, id: string, body: string, type?: string): Promise<void> {
  await link.transport.append(
    address,
    { headers: type === undefined ? {} : { "cqrx-type": type, "cqrx-id": id }, body: bytes(body) },
    { id, type: "raw", signal: new AbortController().signal, timeoutMs: 20_000 },
  );
}

/** Sends a call as another program would, and returns the text of its last frame. */
function callRaw(link: Link, address: string, body: string): Promise<string> {
  return new Promise((resolve) =>
    link.transport.call(
      address,
      { headers: {}, body: bytes(body) },
      {
        type: "raw",
        sent: () => undefined,
        frame: (frame) => {
          const text = new TextDecoder().decode(frame.body);
          if (text !== "b") resolve(text);
        },
        error: (error) => resolve(error.code),
      },
    ),
  );
}

const letters = (link: Link, count: number): Promise<readonly DeadLetter[]> =>
  until(async () => (await link.deadLetters.list({ limit: 1_000 })).length >= count).then(() =>
    link.deadLetters.list({ limit: 1_000 }),
  );

/** What a link makes of bad input, from its own application and from the wire. */
export function wireCases(name: string, makeWorld: () => Promise<World>): void {
  describe(`bad input over ${name}`, () => {
    const { join, pair, canary } = useWorld(makeWorld);

    it("104 no name of a type on the wire finds an inherited function; the message is a dead letter or not found", async () => {
      const { near, far } = await pair();
      const there = new CommandBus();
      let handled = 0;
      there.register(PlaceOrder, () => void handled++);
      await far.serve(there, [PlaceOrder], SOON);
      for (const [at, type] of NAMES.entries()) {
        await expect(callRaw(near, `r.c.${type}`, "{}\n{}")).resolves.toBe("HANDLER_NOT_FOUND");
        await store(near, "s.c.0.PlaceOrder", `t${at}`, "{}", encodeURIComponent(type));
      }
      const all = await letters(far, NAMES.length);
      expect(new Set(all.map(({ reason }) => reason))).toEqual(new Set(["unknown-type"]));
      expect(all.map(({ detail }) => detail).join("")).not.toMatch(/[\0\n\r]/);
      expect(handled).toBe(0);
      await canary(near, far);
    });

    it("104 names that cannot be an address are refused where they are routed, and odd ones are addresses", async () => {
      const { near, far } = await pair();
      const named = (messageName: string) =>
        class {
          static readonly messageName = messageName;
        };
      for (const bad of ["x".repeat(10_240), "\ud800", "a\udc00b"])
        expect(() => near.route(new CommandBus(), [named(bad)])).toThrow("types must be classes with a name");
      const types = NAMES.map(named);
      const [here, there] = [new CommandBus(), new CommandBus()];
      const handled: string[] = [];
      for (const type of types) there.register(type, () => void handled.push(type.messageName));
      await far.serve(there, types);
      near.route(here, types);
      for (const type of types) await here.dispatch(new type());
      expect(handled).toEqual(NAMES);
    });

    it("105 keys that reach a prototype are refused in stored messages, calls, results and errors", async () => {
      const { near, far } = await pair();
      const [here, there] = [new CommandBus(), new CommandBus()];
      there.register(PlaceOrder, () => undefined);
      await far.serve(there, [PlaceOrder], SOON);
      for (const [at, evil] of POLLUTING.entries()) {
        const inPayload = `{"meta":{"id":"p${at}"},"payload":{"orderId":"o","x":${evil}}}`;
        await store(near, "s.c.0.PlaceOrder", `p${at}`, inPayload, "PlaceOrder");
        await expect(callRaw(near, "r.c.PlaceOrder", `{}\n${inPayload}`)).resolves.toMatch(
          /^e.*INVALID_MESSAGE/,
        );
        const inHeaders = `{"meta":{"id":"h${at}","headers":${evil}},"payload":{"orderId":"o"}}`;
        await store(near, "s.c.0.PlaceOrder", `h${at}`, inHeaders, "PlaceOrder");
      }
      const event =
        '{"specversion":"1.0","id":"c","type":"PlaceOrder","data":{"orderId":"o"},"cqrxheaders":"{\\"__proto__\\":\\"x\\"}"}';
      await store(near, "s.c.0.PlaceOrder", "c", event, "PlaceOrder");
      const all = await letters(far, 2 * POLLUTING.length + 1);
      expect(new Set(all.map(({ reason }) => reason))).toEqual(new Set(["undecodable"]));

      // A process that is hostile, and answers.
      near.route(here, [CancelAll]);
      let reply = "";
      await far.transport.answer("r.c.CancelAll", { group: "cqrx" }, (call) =>
        call.reply({ headers: {}, body: bytes(reply) }, true),
      );
      for (const evil of POLLUTING)
        for (const text of [`v${evil}`, `e{"name":"E","code":"OUT_OF_STOCK","fields":${evil}}`, `e${evil}`]) {
          reply = text;
          await expect(here.dispatch(new CancelAll())).rejects.toThrow(RemoteError);
        }
      expect("isAdmin" in {}).toBe(false);
      await canary(near, far);
    });

    it("107 a payload or a result that JSON cannot keep is InvalidMessageError with its path, and nothing is sent", async () => {
      const { near, far } = await pair();
      const [commands, queries] = [new CommandBus(), new QueryBus()];
      const [here, asking] = [new CommandBus(), new QueryBus()];
      let received = 0;
      commands.register(PlaceOrder, () => void received++);
      let result: unknown;
      queries.register(GetOrder, () => result as undefined);
      await far.serve(commands, [PlaceOrder]);
      await far.serve(queries, [GetOrder]);
      near.route(here, [PlaceOrder]);
      near.route(asking, [GetOrder]);
      const circle: { self?: unknown } = {};
      circle.self = circle;
      const bad: [unknown, string][] = [
        [circle, ".self"],
        [() => 1, ""],
        [Symbol("s"), ""],
        [{ deep: [new Date(NaN)] }, ".deep[0]"],
        [new WeakMap(), ""],
      ];
      for (const [value, path] of bad) {
        const command = new PlaceOrder("o1", value as bigint);
        await expect(here.dispatch(command)).rejects.toMatchObject({
          code: "INVALID_MESSAGE",
          path: `payload.amount${path}`,
        });
        result = { value };
        await expect(asking.ask(new GetOrder("o1"))).rejects.toMatchObject({
          code: "INVALID_MESSAGE",
          path: `value.value${path}`,
        });
      }
      const throwing = Object.assign(new PlaceOrder("o1"), {
        toJSON() {
          throw new Error("no");
        },
      });
      await expect(here.dispatch(throwing)).rejects.toThrow(InvalidMessageError);
      expect(received).toBe(0);
      await canary(near, far);
    });

    it("107 a stored message that JSON cannot keep is refused, and nothing is stored", async () => {
      const { near, far } = await pair();
      const [here, there] = [new CommandBus(), new CommandBus()];
      near.route(here, [PlaceOrder], { until: "stored" });
      await expect(here.dispatch(new PlaceOrder("o1", (() => 1) as never))).rejects.toMatchObject({
        path: "payload.amount",
      });
      const odd = Envelope.of(new PlaceOrder("o1"), { id: "\ud800" });
      await expect(here.dispatch(odd)).rejects.toMatchObject({ code: "INVALID_MESSAGE", path: "meta.id" });
      const seen: string[] = [];
      there.register(PlaceOrder, ({ orderId }) => void seen.push(orderId));
      await far.serve(there, [PlaceOrder]);
      await here.dispatch(new PlaceOrder("last"));
      await until(() => seen.length > 0);
      expect(seen).toEqual(["last"]);
    });

    it("109 what is too large for the reader is a dead letter, with its bytes", async () => {
      const { near, far } = await pair();
      const there = new CommandBus();
      there.register(PlaceOrder, () => undefined);
      await far.serve(there, [PlaceOrder], SOON);
      const headers = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`h${at}`, "x"]));
      const bodies = [
        { meta: { headers }, payload: { orderId: "o" } },
        { meta: { headers: { h: "x".repeat(9_000) } }, payload: { orderId: "o" } },
        { meta: { id: "i".repeat(257) }, payload: { orderId: "o" } },
        { meta: { correlationId: "i".repeat(257) }, payload: { orderId: "o" } },
      ].map((each) => JSON.stringify(each));
      for (const [at, body] of bodies.entries())
        await store(near, "s.c.0.PlaceOrder", `big${at}`, body, "PlaceOrder");
      const all = await letters(far, bodies.length);
      expect(all.map(({ reason }) => reason)).toEqual(bodies.map(() => "undecodable"));
      expect(all.map(({ body }) => new TextDecoder().decode(body))).toEqual(bodies);
      await canary(near, far);
    });

    it("111 keys given twice, a type unlike the body's, a newer version and an upcast that throws are dead letters with a reason", async () => {
      const { near, far } = await pair();
      class Paid {
        static readonly version = 3;
        static upcast(): never {
          throw new Error("cannot");
        }
      }
      const there = new CommandBus();
      let handled = 0;
      there.register(Paid, () => void handled++);
      await far.serve(there, [Paid], SOON);
      const bodies: [string, RegExp, string][] = [
        ['{"meta":{"version":3},"payload":{"a":1,"a":2}}', /key twice/, "undecodable"],
        ['{"meta":{"version":3,"name":"Other"},"payload":{}}', /meta\.name is not Paid/, "undecodable"],
        ['{"meta":{"version":4},"payload":{}}', /newer than 3/, "unknown-type"],
        ['{"meta":{},"payload":{}}', /could not be upcast/, "undecodable"],
        ['{"meta":{"version":1.5},"payload":{}}', /meta\.version/, "unknown-type"],
      ];
      for (const [at, [body]] of bodies.entries()) await store(near, "s.c.0.Paid", `v${at}`, body, "Paid");
      const all = await letters(far, bodies.length);
      for (const [at, [, detail, reason]] of bodies.entries()) {
        const letter = all.find(({ messageId }) => messageId === `v${at}`)!;
        expect(letter.detail).toMatch(detail);
        expect(letter.reason).toBe(reason);
      }
      expect(handled).toBe(0);
      await canary(near, far);
    });

    it("112 header names and values that could break a protocol are refused before anything is sent", async () => {
      const evil: [string, string][] = [
        ["a\r\nNats-Rollup", "all"],
        ["a", "b\r\nNats-Msg-Id: 1"],
        ["a", "b\0"],
        ["ä", "b"],
        ["a", "ä"],
        ["", "b"],
        ["a b", "c"],
        ["a:b", "c"],
      ];
      let added: Record<string, string> = {};
      const near = await join({ ...QUICK, headers: () => added });
      const far = await join();
      const [here, events, there] = [new CommandBus(), new EventBus(), new EventBus()];
      const seen: unknown[] = [];
      there.register(OrderPlaced, (_, { envelope }) => void seen.push(envelope.meta.headers));
      await far.serve(there, [OrderPlaced], { group: "a\r\nb c" });
      near.route(here, [PlaceOrder]);
      near.route(events, [OrderPlaced]);
      for (const [header, value] of evil) {
        added = { [header]: value };
        await expect(here.dispatch(new PlaceOrder("o1"))).rejects.toMatchObject({ code: "INVALID_MESSAGE" });
        await expect(events.publish(new OrderPlaced("o1"))).rejects.toMatchObject({
          errors: [expect.objectContaining({ code: "INVALID_MESSAGE" })],
        });
      }
      added = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
      await events.publish(new OrderPlaced("last"));
      await until(() => seen.length > 0);
      expect(seen).toEqual([added]);
      await canary(near, far);
    });

    it("112 headers of a stored message that cannot be read make it a dead letter, also its type and its id", async () => {
      const { near, far } = await pair();
      const there = new CommandBus();
      there.register(PlaceOrder, () => undefined);
      await far.serve(there, [PlaceOrder], SOON);
      for (const [at, headers] of [
        { "cqrx-type": "%ZZ", "cqrx-id": "1" },
        { "cqrx-type": "PlaceOrder", "cqrx-id": "%" },
        { "cqrx-type": "PlaceOrder", "cqrx-id": "1", "cqrx-replays": "many" },
      ].entries())
        await near.transport.append(
          "s.c.0.PlaceOrder",
          { headers, body: bytes("[]") },
          { id: `h${at}`, type: "raw", signal: new AbortController().signal, timeoutMs: 20_000 },
        );
      const all = await letters(far, 3);
      expect(all.map(({ reason, replayCount }) => [reason, replayCount])).toEqual(
        new Array(3).fill(["undecodable", 0]),
      );
      await canary(near, far);
    });

    it("114 errors of other processes and details of dead letters are one line without control characters", async () => {
      const near = await join({ ...QUICK, exposeErrors: true });
      const far = await join({ ...QUICK, exposeErrors: true });
      const [here, there] = [new CommandBus(), new CommandBus()];
      const text = "a\nb\r\u001b[31mc\u2028d";
      there.register(PlaceOrder, ({ orderId }) => {
        if (orderId === "stored") throw new UnrecoverableError(text);
        throw Object.assign(new Error(text), { name: text });
      });
      await far.serve(there, [PlaceOrder]);
      near.route(here, [PlaceOrder]);
      const error = (await here
        .dispatch(new PlaceOrder("o1"))
        .catch((reason: unknown) => reason)) as RemoteError;
      expect(error).toBeInstanceOf(RemoteError);
      await store(near, "s.c.0.PlaceOrder", "s", '{"meta":{},"payload":{"orderId":"stored"}}', "PlaceOrder");
      const [letter] = await letters(far, 1);
      for (const shown of [error.message, error.remoteName, letter!.detail])
        // eslint-disable-next-line no-control-regex -- the characters that must not be there
        expect(shown).not.toMatch(/[\u0000-\u001f\u2028]/);
      await canary(near, far);
    });

    it("119 many calls that wait in one process are answered without recursion", async () => {
      const { near, far } = await pair();
      const [here, there] = [new QueryBus(), new QueryBus()];
      there.register(Numbers, ({ count }) => from([count]));
      await far.serve(there, [Numbers], { concurrency: 1 });
      near.route(here, [Numbers]);
      const count = 3_000;
      const values = await lastValueFrom(
        from(Array.from({ length: count }, (_, at) => at)).pipe(
          mergeMap((at) => here.ask$(new Numbers(at))),
          toArray(),
        ),
        { defaultValue: [] },
      );
      expect(new Set(values).size).toBe(count);
      await canary(near, far);
    });

    it("a call that is not in the form of a link is answered with an error, and the process goes on", async () => {
      const { near, far } = await pair();
      const [commands, queries] = [new CommandBus(), new QueryBus()];
      let handled = 0;
      commands.register(PlaceOrder, () => void handled++);
      queries.register(CountOrders, () => ++handled);
      await far.serve(commands, [PlaceOrder]);
      await far.serve(queries, [CountOrders]);
      const heads = [
        "",
        "no line",
        "null",
        "[]",
        "1",
        '{"reply":"weird"}',
        '{"reply":{"a":1}}',
        '{"credit":1e999}',
      ];
      const envelope = '{"meta":{},"payload":{}}';
      for (const head of heads.slice(0, 7))
        await expect(callRaw(near, "r.q.CountOrders", `${head}\n${envelope}`)).resolves.toMatch(/^e/);
      for (const head of ['{"reply":"many","credit":1}', '{"reply":"live","credit":1}'])
        await expect(callRaw(near, "r.c.PlaceOrder", `${head}\n${envelope}`)).resolves.toMatch(/^e/);
      await expect(callRaw(near, "r.q.CountOrders", envelope)).resolves.toMatch(/^e/);
      expect(handled).toBe(0);
      await expect(callRaw(near, "r.q.CountOrders", `${heads[7]!}\n${envelope}`)).resolves.toBe("v1");
      await canary(near, far);
    });

    it("groups whose names differ only in how they are put together do not share messages", async () => {
      const { near, far } = await pair();
      const types = ["c", "b_c"].map((messageName) => {
        const type = class {
          static readonly messageName = messageName;
        };
        return type;
      });
      const [here, there] = [new CommandBus(), new CommandBus()];
      const handled: string[] = [];
      for (const type of types) there.register(type, () => void handled.push(type.messageName));
      await far.serve(there, [types[0]!], { group: "a_b" });
      await far.serve(there, [types[1]!], { group: "a" });
      near.route(here, types, { until: "stored" });
      for (const type of types) await here.dispatch(new type());
      await until(() => handled.length === 2);
      expect(handled.sort()).toEqual(["b_c", "c"]);
    });
  });
}

class CancelAll {
  readonly kind = "all";
}
