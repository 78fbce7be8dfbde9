import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace";

export class CreateUser {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email = "ada@example.com") {
    this.userId = userId;
    this.email = email;
  }
}

export class SendMail {
  readonly to: string;

  constructor(to: string) {
    this.to = to;
  }
}

export class UserCreated {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

export interface Recorded {
  /** In the order in which they ended. */
  readonly spans: readonly ReadableSpan[];
  span(name: string): ReadableSpan;
  /** `child < parent`, by name, in the order in which they ended. */
  tree(): string[];
}

/** Registers an SDK, with or without a context manager. */
export function registerSdk({ contextManager = true } = {}): Recorded {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  if (contextManager) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    get spans() {
      return exporter.getFinishedSpans();
    },
    span(name) {
      const found = exporter.getFinishedSpans().filter((span) => span.name === name);
      if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}`);
      return found[0]!;
    },
    tree() {
      const spans = exporter.getFinishedSpans();
      return spans.map(({ name, parentSpanContext }) => {
        const parent = spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId);
        return `${name} < ${parent?.name ?? parentSpanContext?.spanId ?? "nothing"}`;
      });
    },
  };
}

export function unregisterSdk(): void {
  trace.disable();
  context.disable();
  metrics.disable();
  propagation.disable();
}
