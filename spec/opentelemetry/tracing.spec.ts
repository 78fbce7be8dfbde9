import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type ContextManager,
  type Tracer,
} from "@opentelemetry/api";
import { afterEach, describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import { retrying, timeLimit } from "cqrx/middleware";
import { traceHeaders, tracing } from "cqrx/opentelemetry";
import { recording, sequentialIds } from "cqrx/testing";
import { defer, EMPTY, firstValueFrom, lastValueFrom, of, toArray } from "rxjs";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { CreateUser, registerSdk, SendMail, unregisterSdk, UserCreated } from "./support.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

const commands = (...inner: ReturnType<typeof tracing>[]): CommandBus =>
  new CommandBus({ name: "commands", ids: sequentialIds("c"), middleware: [tracing(), ...inner] });
const events = (): EventBus => new EventBus({ ids: sequentialIds("e"), middleware: [tracing()] });

afterEach(unregisterSdk);

describe("tracing", () => {
  it("makes a span with the attributes of the messaging conventions, and nothing of the payload", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      bus.register(CreateUser, () => undefined);

      await bus.dispatch(new CreateUser("u1", "secret@example.com"));

      const span = recorded.span("dispatch CreateUser");
      expect(span.kind).toBe(SpanKind.INTERNAL);
      expect(span.status).toEqual({ code: SpanStatusCode.UNSET });
      expect(span.parentSpanContext).toBeUndefined();
      expect(span.attributes).toEqual({
        "messaging.system": "cqrx",
        "messaging.operation.name": "dispatch",
        "messaging.operation.type": "process",
        "messaging.destination.name": "CreateUser",
        "messaging.message.id": "c1",
        "messaging.message.conversation_id": "c1",
        "messaging.cqrx.bus": "commands",
      });
      await canaries(bus);
    }));

  it("names spans after the operation: dispatch, ask, publish", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const queryBus = new QueryBus<string>({ middleware: [tracing()] });
      const eventBus = events();
      queryBus.register(SendMail, ({ to }) => to);

      expect(await queryBus.ask(new SendMail("ada"))).toBe("ada");
      await eventBus.publish(new UserCreated("u1"));

      expect(recorded.tree()).toEqual(["ask SendMail < nothing", "publish UserCreated < nothing"]);
      await canaries(queryBus, eventBus);
    }));

  it("keeps the synchronous prefix", () =>
    withTraps(() => {
      const recorded = registerSdk();
      const bus = commands();
      const users: string[] = [];
      bus.register(CreateUser, ({ userId }) => void users.push(userId));

      void bus.dispatch(new CreateUser("u1"));

      expect(users).toEqual(["u1"]);
      expect(recorded.spans).toHaveLength(1);
    }));

  it.each([{ contextManager: true }, { contextManager: false }])(
    "makes nested dispatches children by causedBy, over buses and awaits: %j",
    (options) =>
      withTraps(async () => {
        const recorded = registerSdk(options);
        const bus = commands();
        const eventBus = events();
        eventBus.register(UserCreated, async ({ userId }, context) => {
          await Promise.resolve();
          await bus.dispatch(new SendMail(userId), { causedBy: context });
        });
        bus.register(SendMail, () => undefined);
        bus.register(CreateUser, async ({ userId }, context) => {
          await Promise.resolve();
          await eventBus.publish(new UserCreated(userId), { causedBy: context });
        });

        await Promise.all([bus.dispatch(new CreateUser("u1")), bus.dispatch(new CreateUser("u2"))]);

        expect(recorded.tree()).toEqual(
          [
            "dispatch SendMail < publish UserCreated",
            "publish UserCreated < dispatch CreateUser",
            "dispatch CreateUser < nothing",
            "dispatch SendMail < publish UserCreated",
            "publish UserCreated < dispatch CreateUser",
            "dispatch CreateUser < nothing",
          ].sort((a, b) => order(a) - order(b)),
        );
        expect(new Set(recorded.spans.map((span) => span.spanContext().traceId)).size).toBe(2);
        await canaries(bus, eventBus);
      }),
  );

  it("finds the cause when it is an envelope, or has ended", () =>
    withTraps(async () => {
      const recorded = registerSdk({ contextManager: false });
      const bus = commands();
      const eventBus = events();
      bus.register(SendMail, () => undefined);
      const published = recording(eventBus);

      await eventBus.publish(new UserCreated("u1"));
      await bus.dispatch(new SendMail("u1"), { causedBy: published.messages[0]! });

      expect(recorded.tree()).toEqual([
        "publish UserCreated < nothing",
        "dispatch SendMail < publish UserCreated",
      ]);
    }));

  it("is the active span in the handler, and a span made there is the parent of messages dispatched in it", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      const seen: (string | undefined)[] = [];
      const activeId = (): string | undefined => trace.getActiveSpan()?.spanContext().spanId;
      bus.register(SendMail, () => undefined);
      bus.register(CreateUser, async (_command, context) => {
        seen.push(activeId());
        await Promise.resolve();
        seen.push(activeId());
        await trace.getTracer("app").startActiveSpan("sql", async (span) => {
          await bus.dispatch(new SendMail("ada"), { causedBy: context });
          await bus.dispatch(new SendMail("bob"));
          span.end();
        });
      });

      await bus.dispatch(new CreateUser("u1"));

      const { spanId } = recorded.span("dispatch CreateUser").spanContext();
      expect(seen).toEqual([spanId, spanId]);
      expect(activeId()).toBeUndefined();
      expect(recorded.tree()).toEqual([
        "dispatch SendMail < sql",
        "dispatch SendMail < sql",
        "sql < dispatch CreateUser",
        "dispatch CreateUser < nothing",
      ]);
    }));

  it("continues the trace of a traceparent header, as a consumer", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      bus.register(CreateUser, () => undefined);

      await bus.dispatch(new CreateUser("u1"), {
        headers: { Traceparent: TRACEPARENT, tracestate: "vendor=1" },
      });

      const span = recorded.span("dispatch CreateUser");
      expect(span.kind).toBe(SpanKind.CONSUMER);
      expect(span.spanContext().traceId).toBe(TRACE);
      expect(span.parentSpanContext).toMatchObject({ spanId: SPAN, isRemote: true });
      expect(span.spanContext().traceState?.serialize()).toBe("vendor=1");
    }));

  it("takes the headers of its own process for what they are: the same parent, not a remote one", () =>
    withTraps(async () => {
      const recorded = registerSdk({ contextManager: false });
      const bus = commands();
      bus.register(SendMail, () => undefined);
      bus.register(CreateUser, (_command, context) =>
        bus.dispatch(new SendMail("ada"), { causedBy: context, headers: traceHeaders(context) }),
      );

      await bus.dispatch(new CreateUser("u1"));

      expect(recorded.tree()).toEqual([
        "dispatch SendMail < dispatch CreateUser",
        "dispatch CreateUser < nothing",
      ]);
      expect(recorded.span("dispatch SendMail").kind).toBe(SpanKind.INTERNAL);
    }));

  it.each([
    "",
    "00-0-0-01",
    TRACEPARENT.replace("00-", "ff-"),
    `${TRACEPARENT}-more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
  ])("begins a trace when the header is invalid: %j", (traceparent) =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      bus.register(CreateUser, () => undefined);

      await bus.dispatch(new CreateUser("u1"), { headers: { traceparent } });

      expect(recorded.tree()).toEqual(["dispatch CreateUser < nothing"]);
    }),
  );

  it("uses the propagator that is registered", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      propagation.setGlobalPropagator({
        fields: () => ["x-span"],
        inject: (from, carrier) => {
          (carrier as { [name: string]: string })["x-span"] = trace.getSpanContext(from)!.spanId;
        },
        extract: (base, carrier, getter) =>
          trace.setSpanContext(base, {
            traceId: TRACE,
            spanId: getter.get(carrier, "x-span") as string,
            traceFlags: 1,
            isRemote: true,
          }),
      });
      const bus = commands();
      let sent: object = {};
      bus.register(CreateUser, (_command, context) => void (sent = traceHeaders(context)));

      await bus.dispatch(new CreateUser("u1"), { headers: { "X-Span": SPAN } });

      const { spanId } = recorded.span("dispatch CreateUser").spanContext();
      expect(recorded.tree()).toEqual([`dispatch CreateUser < ${SPAN}`]);
      expect(sent).toEqual({ "x-span": spanId, traceparent: `00-${TRACE}-${spanId}-01` });
    }));

  it("records errors with status and type, synchronous and later", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      const error = new RangeError("too long");
      bus.register(CreateUser, () => {
        throw error;
      });
      bus.register(SendMail, () => Promise.reject(error));

      await expect(bus.dispatch(new CreateUser("u1"))).rejects.toBe(error);
      await expect(bus.dispatch(new SendMail("ada"))).rejects.toBe(error);

      for (const { status, attributes, events } of recorded.spans) {
        expect(status).toEqual({ code: SpanStatusCode.ERROR, message: "too long" });
        expect(attributes["error.type"]).toBe("RangeError");
        expect(events.map(({ name }) => name)).toEqual(["exception"]);
      }
      expect(recorded.spans).toHaveLength(2);
      await canaries(bus);
    }));

  it("records no error text if its option says so, and nothing of a reason that is not an Error", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = new CommandBus({ middleware: [tracing({ exceptions: false })] });
      bus.register(CreateUser, ({ email }) => {
        throw new Error(`${email} is taken`);
      });
      bus.register(SendMail, (mail) => Promise.reject(mail as unknown as Error));

      await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("is taken");
      await expect(bus.dispatch(new SendMail("secret"))).rejects.toThrow();

      expect(recorded.spans.map(({ status, attributes }) => [status, attributes["error.type"]])).toEqual([
        [{ code: SpanStatusCode.ERROR }, "Error"],
        [{ code: SpanStatusCode.ERROR }, "object"],
      ]);
      expect(recorded.spans.flatMap(({ events }) => events)).toEqual([]);
    }));

  it("ends the span of a cancelled command at once", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands();
      const controller = new AbortController();
      bus.register(CreateUser, () => new Promise(() => undefined));

      const waiting = bus.dispatch(new CreateUser("u1"), { signal: controller.signal });
      expect(recorded.spans).toEqual([]);
      controller.abort();
      expect(recorded.spans.map(({ attributes }) => attributes["error.type"])).toEqual(["AbortError"]);

      await expect(waiting).rejects.toThrow();
      await canaries(bus);
    }));

  it("makes a span of every attempt inside retrying, and one of all outside", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = commands(retrying({ count: 1 }), tracing(), timeLimit(60_000));
      let attempts = 0;
      bus.register(CreateUser, () => (++attempts === 1 ? Promise.reject(new Error("busy")) : undefined));

      await bus.dispatch(new CreateUser("u1"));

      const [first, second, all] = recorded.spans;
      expect(recorded.spans).toHaveLength(3);
      expect(first!.parentSpanContext?.spanId).toBe(all!.spanContext().spanId);
      expect(second!.parentSpanContext?.spanId).toBe(all!.spanContext().spanId);
      expect([first!, second!, all!].map(({ status }) => status.code)).toEqual([
        SpanStatusCode.ERROR,
        SpanStatusCode.UNSET,
        SpanStatusCode.UNSET,
      ]);
    }));

  it("lasts as long as the stream that a query is answered with, which is subscribed in its context", () =>
    withTraps(async () => {
      const recorded = registerSdk();
      const bus = new QueryBus<string>({ middleware: [tracing()] });
      bus.register(SendMail, () => defer(() => of(trace.getActiveSpan()?.spanContext().spanId ?? "")));
      bus.register(CreateUser, () => EMPTY);

      const spanId = await lastValueFrom(bus.ask$(new SendMail("ada")), { defaultValue: "" });
      expect(spanId).toBe(recorded.span("ask SendMail").spanContext().spanId);
      const asked = bus.ask$(new CreateUser("u1")).subscribe({ error: () => undefined });
      asked.unsubscribe();

      expect(recorded.tree()).toEqual(["ask SendMail < nothing", "ask CreateUser < nothing"]);
      await canaries(bus);
    }));

  // open-telemetry/opentelemetry-js#2951 and middleapi/orpc#2030: code of an iterator runs where its reader is.
  describe.each<[string, (values: () => AsyncIterable<string>) => unknown]>([
    ["an async iterable", (values) => values()],
    ["a promise of an async iterable", async (values) => values()],
    ["a promise of an Observable", async (values) => defer(() => values())],
  ])("runs %s in the context of the span", (_, made) => {
    it.each<[string, (bus: QueryBus<string>) => Promise<string[]>]>([
      ["ask", async (bus) => [await bus.ask(new SendMail("ada"))]],
      ["ask$", (bus) => lastValueFrom(bus.ask$(new SendMail("ada")).pipe(toArray()), { defaultValue: [] })],
      ["watch", async (bus) => [await firstValueFrom(bus.watch(new SendMail("ada")), { defaultValue: "" })]],
    ])("under %s", (reply, values) =>
      withTraps(async () => {
        const recorded = registerSdk();
        const bus = new QueryBus<string>({ middleware: [tracing()] });
        const active = (): string => trace.getActiveSpan()?.spanContext().spanId ?? "none";
        let left = "";
        async function* spans(): AsyncGenerator<string> {
          try {
            yield active();
            await Promise.resolve();
            yield active();
          } finally {
            left = active();
          }
        }
        bus.register(SendMail, () => made(spans) as AsyncIterable<string>);
        const ids = await values(bus);
        await macrotask();
        const { spanId } = recorded.span("ask SendMail").spanContext();
        expect([...ids, left]).toEqual(Array.from({ length: reply === "ask$" ? 3 : 2 }, () => spanId));
        await canaries(bus);
      }),
    );
  });

  it("reports an error of the SDK, and lets the message pass", () =>
    withTraps(async () => {
      const tracer = {
        startSpan: () => {
          throw new Error("broken SDK");
        },
      } as unknown as Tracer;
      const bus = new CommandBus({ middleware: [tracing({ tracer })] });
      const { faults } = recording(bus);
      const users: string[] = [];
      bus.register(CreateUser, ({ userId }) => void users.push(userId));

      await bus.dispatch(new CreateUser("u1"));

      expect(users).toEqual(["u1"]);
      expect(faults).toEqual([
        expect.objectContaining({ kind: "observer", source: "tracing", error: new Error("broken SDK") }),
      ]);
    }));

  it.each(["before", "after"])("reports an error that a context manager throws %s the rest has run", (when) =>
    withTraps(async () => {
      const recorded = registerSdk({ contextManager: false });
      context.setGlobalContextManager({
        active: () => ROOT_CONTEXT,
        with(_context: Context, run: () => unknown) {
          if (when === "after") run();
          throw new Error("broken SDK");
        },
        bind: (_context: Context, target: unknown) => target,
        enable: () => undefined,
        disable: () => undefined,
      } as unknown as ContextManager);
      const bus = new QueryBus({ middleware: [tracing()] });
      const { faults } = recording(bus);
      let runs = 0;
      bus.register(CreateUser, () => ++runs);
      bus.register(SendMail, () => {
        throw new Error("no mail");
      });
      bus.register(UserCreated, () => of(1, 2));

      await expect(bus.ask(new CreateUser("u1"))).resolves.toBe(1);
      await expect(bus.ask(new SendMail("ada"))).rejects.toThrow("no mail");
      await expect(
        lastValueFrom(bus.ask$(new UserCreated("u1")).pipe(toArray()), { defaultValue: [] }),
      ).resolves.toEqual([1, 2]);

      // The exporter of the SDK needs the context manager, too.
      expect(recorded.spans).toHaveLength(when === "after" ? 3 : 0);
      expect(new Set(faults.map(({ error }) => String(error)))).toEqual(new Set(["Error: broken SDK"]));
      await canaries(bus);
    }),
  );

  it("records with an SDK that is registered after the bus was made", () =>
    withTraps(async () => {
      const bus = commands();
      bus.register(CreateUser, () => undefined);
      await bus.dispatch(new CreateUser("u1"));
      const recorded = registerSdk();
      await bus.dispatch(new CreateUser("u2"));
      expect(recorded.spans).toHaveLength(1);
    }));
});

describe("without an SDK", () => {
  it("trace ids travel: from the header, through nested dispatches, to the next process", () =>
    withTraps(async () => {
      const bus = commands();
      const sent: { readonly [name: string]: string }[] = [];
      bus.register(SendMail, (_mail, context) => void sent.push(traceHeaders(context)));
      bus.register(CreateUser, async (_command, context) => {
        sent.push(traceHeaders(context));
        await macrotask();
        await bus.dispatch(new SendMail("ada"), { causedBy: context });
      });

      await bus.dispatch(new CreateUser("u1"), {
        headers: { traceparent: TRACEPARENT.replace(/01$/, "00"), tracestate: "vendor=1" },
      });

      expect(sent).toHaveLength(2);
      for (const { traceparent, tracestate } of sent) {
        expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
        expect(tracestate).toBe("vendor=1");
      }
      expect(new Set([TRACEPARENT, ...sent.map(({ traceparent }) => traceparent)]).size).toBe(3);
    }));

  it("a trace begins with the first message, and says that it may be recorded", () =>
    withTraps(async () => {
      const bus = commands();
      const sent: (string | undefined)[] = [];
      bus.register(CreateUser, (_command, context) => void sent.push(traceHeaders(context)["traceparent"]));

      await bus.dispatch(new CreateUser("u1"));
      await bus.dispatch(new CreateUser("u2"));

      expect(sent[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      expect(sent[0]!.slice(3, 35)).not.toBe(sent[1]!.slice(3, 35));
    }));

  it("returns no headers without a trace", () => {
    expect(traceHeaders()).toEqual({});
    for (const bad of [null, {}, "u1"])
      expect(() => traceHeaders(bad as never)).toThrow(/of is neither a handler's context nor an envelope/);
    expect(trace.getSpanContext(context.active())).toBeUndefined();
  });
});

function order(line: string): number {
  return ["dispatch SendMail", "publish", "dispatch CreateUser"].findIndex((name) => line.startsWith(name));
}
