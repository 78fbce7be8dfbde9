// tracing() makes an OpenTelemetry span of every message: nested dispatches are its children, and errors are on record.
// Run: npm run example 25
// Look at: the trace begins in the browser; the mail is a child of the event, which is a child of the command; a failed span has an error.type.
import { trace } from "@opentelemetry/api";
import { SimpleSpanProcessor, TracerProvider, type SpanExporter } from "@opentelemetry/sdk-trace";
import { CommandBus, EventBus } from "cqrx";
import { traceHeaders, tracing } from "cqrx/opentelemetry";
import { sequentialIds } from "cqrx/testing";
import { runWhenStarted, type Print } from "./support/run.js";

class SignUp {
  readonly email: string;

  constructor(email: string) {
    this.email = email;
  }
}

class SignedUp extends SignUp {}
class SendWelcome extends SignUp {}

/** Prints spans as they end, each with its parent. An application sends them to a collector instead. */
function printing(print: Print): SpanExporter {
  return {
    export(spans, done) {
      for (const span of spans) {
        const { traceId, spanId } = span.spanContext();
        const parent = span.parentSpanContext?.spanId.slice(-4) ?? "none";
        const error = span.attributes["error.type"];
        print(`trace ${traceId.slice(-4)}  span ${spanId.slice(-4)} in ${parent}  ${span.name}`);
        if (typeof error === "string") print(`  ${error}: ${span.status.message}`);
      }
      done({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
  };
}

export async function main(print: Print): Promise<void> {
  let last = 0;
  const hex = (length: number) => (): string => (++last).toString(16).padStart(length, "0");
  const provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: printing(print) })],
    // The same at every run.
    idGenerator: { generateTraceId: hex(32), generateSpanId: hex(16) },
  });
  trace.setGlobalTracerProvider(provider);

  const commandBus = new CommandBus({ ids: sequentialIds("c"), middleware: [tracing()] });
  const eventBus = new EventBus({ ids: sequentialIds("e"), middleware: [tracing()] });
  commandBus.register(SendWelcome, ({ email }, context) => {
    print(`the mail server gets ${Object.keys(traceHeaders(context)).join()}`);
    if (!email.includes("@")) throw new RangeError("no address");
  });
  eventBus.register(SignedUp, ({ email }, context) =>
    commandBus.dispatch(new SendWelcome(email), { causedBy: context }),
  );
  commandBus.register(SignUp, ({ email }, context) =>
    eventBus.publish(new SignedUp(email), { causedBy: context }),
  );

  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await commandBus.dispatch(new SignUp("ada@example.com"), { headers: { traceparent } });
  await commandBus.dispatch(new SignUp("ada")).catch(() => print("ada has no address"));

  await provider.shutdown();
  trace.disable();
}

runWhenStarted("25-opentelemetry.ts", main);
