import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { SpanKind } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { CommandBus, Envelope, EventBus } from "cqrx";
import { natsTransport } from "cqrx/nats";
import { traceHeaders, tracing } from "cqrx/opentelemetry";
import { logTo } from "cqrx/pino";
import { Link } from "cqrx/transport";
import { pino } from "pino";
import { OrderPlaced, PlaceOrder, until } from "../transport/support.js";
import { withServer } from "./server.js";

interface Span {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

withServer((server) => {
  describe("two processes", () => {
    it("make one trace of a call and the event that it causes, log one correlation id, and exit by themselves", async () => {
      const worker = spawn(
        process.execPath,
        ["--import", "tsx", join(__dirname, "traced-worker.ts"), server.url, "traced"],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let output = "";
      worker.stdout.on("data", (chunk) => (output += String(chunk)));
      const exited = once(worker, "exit");
      const exporter = new InMemorySpanExporter();
      const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
      const middleware = [tracing({ tracer: provider.getTracer("gateway") })];
      const [commandBus, eventBus] = [new CommandBus({ middleware }), new EventBus({ middleware })];
      const logs: string[] = [];
      logTo(commandBus, pino({}, { write: (line: string) => void logs.push(line) }));
      const placed: string[] = [];
      eventBus.register(OrderPlaced, ({ orderId }) => void placed.push(orderId));
      const link = new Link(await natsTransport({ servers: server.url, prefix: "traced" }), {
        headers: traceHeaders,
      });
      await link.serve(eventBus, [OrderPlaced], { group: "gateway" });
      link.route(commandBus, [PlaceOrder]);
      await until(() => output.includes("ready") || worker.exitCode !== null);
      const sent = Envelope.of(new PlaceOrder("o1"));
      await commandBus.dispatch(sent);
      await until(() => placed.length === 1);
      worker.kill("SIGTERM");
      // Nothing of the link keeps the process alive: it is neither killed nor told to exit.
      await expect(exited).resolves.toEqual([0, null]);
      await link.close();

      const lines = output
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as { span?: Span });
      const there = lines.flatMap(({ span }) => span ?? []);
      const here = exporter.getFinishedSpans().map((span) => ({
        ...span.spanContext(),
        name: span.name,
        kind: span.kind,
        parent: span.parentSpanContext?.spanId,
        attributes: span.attributes,
      }));
      const [client] = here.filter(({ kind }) => kind === SpanKind.CLIENT);
      const [serving] = there.filter(({ kind }) => kind === SpanKind.SERVER);
      const [producer] = there.filter(({ kind }) => kind === SpanKind.PRODUCER);
      const [consumer] = here.filter(({ kind }) => kind === SpanKind.CONSUMER);
      const chain = [client!, serving!, producer!, consumer!];
      expect([...here, ...there]).toHaveLength(4);
      expect(chain.map(({ name, attributes }) => [name, attributes["messaging.operation.type"]])).toEqual([
        ["dispatch PlaceOrder", "send"],
        ["dispatch PlaceOrder", "process"],
        ["publish OrderPlaced", "send"],
        ["publish OrderPlaced", "process"],
      ]);
      expect(new Set(chain.map(({ traceId }) => traceId)).size).toBe(1);
      expect(chain.map(({ parent }) => parent)).toEqual([
        undefined,
        ...chain.slice(0, 3).map(({ spanId }) => spanId),
      ]);

      const logged = lines.filter(({ span }) => span === undefined).map((line) => JSON.stringify(line));
      for (const all of [logs, logged])
        expect(all.filter((line) => line.includes(sent.meta.id)).length).toBeGreaterThan(0);
    });
  });
});
