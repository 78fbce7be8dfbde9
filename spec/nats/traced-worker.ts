/**
 * A process that handles PlaceOrder and publishes OrderPlaced: `traced-worker.ts URL PREFIX`. It writes its logs and, once
 * it was told to end, its spans to the standard output, and exits by itself.
 */
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { CommandBus, EventBus } from "cqrx";
import { natsTransport } from "cqrx/nats";
import { traceHeaders, tracing } from "cqrx/opentelemetry";
import { logTo } from "cqrx/pino";
import { Link } from "cqrx/transport";
import { pino } from "pino";
import { OrderPlaced, PlaceOrder } from "../transport/support.js";

const [, , servers, prefix] = process.argv as [string, string, string, string];
const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
const middleware = [tracing({ tracer: provider.getTracer("worker") })];
const commandBus = new CommandBus({ middleware });
const eventBus = new EventBus({ middleware });
logTo(commandBus, pino(pino.destination({ fd: 1, sync: true })));
commandBus.register(PlaceOrder, ({ orderId }, context) =>
  eventBus.publish(new OrderPlaced(orderId), { causedBy: context }),
);
const link = new Link(await natsTransport({ servers, prefix }), { headers: traceHeaders });
link.route(eventBus, [OrderPlaced]);
await link.serve(commandBus, [PlaceOrder]);
process.once("SIGTERM", () => {
  void link.close().then(() => {
    for (const span of exporter.getFinishedSpans()) {
      const { name, kind, attributes } = span;
      const { traceId, spanId } = span.spanContext();
      const parent = span.parentSpanContext?.spanId;
      console.log(JSON.stringify({ span: { name, kind, traceId, spanId, parent, attributes } }));
    }
  });
});
console.log("ready");
