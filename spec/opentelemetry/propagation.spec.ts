import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { CommandBus, type Headers } from "cqrx";
import { retrying } from "cqrx/middleware";
import { traceHeaders, tracing } from "cqrx/opentelemetry";
import { recording } from "cqrx/testing";
import { CreateUser, registerSdk, SendMail, unregisterSdk, type Recorded } from "./support.js";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const activeBaggage = (): string =>
  (propagation.getActiveBaggage()?.getAllEntries() ?? [])
    .map(([key, { value }]) => `${key}=${value}`)
    .sort()
    .join();

afterEach(unregisterSdk);

describe.each([{ contextManager: true }, { contextManager: false }])("baggage, with %j", (options) => {
  let recorded: Recorded;
  let bus: CommandBus;
  let sent: Headers[];

  beforeEach(() => {
    recorded = registerSdk(options);
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
    );
    bus = new CommandBus({ middleware: [tracing(), retrying({ count: 1 }), tracing()] });
    sent = [];
    bus.register(SendMail, (_mail, handling) => void sent.push(traceHeaders(handling)));
    bus.register(CreateUser, async (_command, handling) => {
      await Promise.resolve();
      sent.push(traceHeaders(handling));
      await bus.dispatch(new SendMail("ada"), { causedBy: handling });
    });
  });

  it.each([
    ["without a traceparent", {}],
    ["with a traceparent", { traceparent: TRACEPARENT }],
  ])("of the headers goes to the handler and to the messages that it causes, %s", async (_, headers) => {
    await bus.dispatch(new CreateUser("u1"), { headers: { ...headers, baggage: "tenant=t1" } });

    expect(sent.map(({ baggage }) => baggage)).toEqual(["tenant=t1", "tenant=t1"]);
    expect(new Set(recorded.spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it("goes to a message that is caused later, by an envelope", async () => {
    const { messages } = recording(bus);
    await bus.dispatch(new SendMail("ada"), { headers: { baggage: "tenant=t1" } });

    await bus.dispatch(new SendMail("bob"), { causedBy: messages[0]! });

    expect(sent.map(({ baggage }) => baggage)).toEqual(["tenant=t1", "tenant=t1"]);
  });

  it("is read by a handler that takes its context apart", async () => {
    const headers: Headers[] = [];
    const apart = new CommandBus({ middleware: [tracing()] });
    apart.register(CreateUser, (_command, { envelope }) => void headers.push(traceHeaders(envelope)));

    await apart.dispatch(new CreateUser("u1"), { headers: { baggage: "tenant=t1" } });

    expect(headers).toEqual([expect.objectContaining({ baggage: "tenant=t1" })]);
  });
});

describe("baggage of the active context", () => {
  beforeEach(() => {
    registerSdk();
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
    );
  });

  const active = propagation.setBaggage(
    ROOT_CONTEXT,
    propagation.createBaggage({ user: { value: "ada" }, tenant: { value: "t0" } }),
  );

  it("is joined by the headers of a message under the active span, which win", async () => {
    const bus = new CommandBus({ middleware: [tracing()] });
    const seen: string[] = [];
    bus.register(CreateUser, () => void seen.push(activeBaggage()));
    const span = trace.getTracer("app").startSpan("request");

    await context.with(trace.setSpan(active, span), async () => {
      await bus.dispatch(new CreateUser("u1"), { headers: { baggage: "tenant=t1" } });
      await bus.dispatch(new CreateUser("u1"), {
        headers: { ...traceHeaders(), baggage: "tenant=t2" },
      });
    });

    expect(seen).toEqual(["tenant=t1,user=ada", "tenant=t2,user=ada"]);
  });

  it("stays when the headers hold none", async () => {
    const bus = new CommandBus({ middleware: [tracing()] });
    const seen: string[] = [];
    bus.register(CreateUser, () => void seen.push(activeBaggage()));

    await context.with(active, () => bus.dispatch(new CreateUser("u1"), { headers: { tenant: "t1" } }));

    expect(seen).toEqual(["tenant=t0,user=ada"]);
  });

  it("keeps the other values that a propagator extracts", async () => {
    const key = Symbol("locale");
    propagation.disable();
    propagation.setGlobalPropagator({
      fields: () => ["x-locale"],
      inject: () => undefined,
      extract: (base, carrier, getter) => base.setValue(key, getter.get(carrier, "x-locale")),
    });
    const bus = new CommandBus({ middleware: [tracing()] });
    const seen: unknown[] = [];
    bus.register(CreateUser, () => void seen.push(context.active().getValue(key)));

    await bus.dispatch(new CreateUser("u1"), { headers: { "x-locale": "de" } });

    expect(seen).toEqual(["de"]);
  });
});
