import type { Bus } from "../core/bus/bus.js";
import { CommandBus } from "../buses/command-bus.js";
import { EventBus } from "../buses/event-bus.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { QueryBus } from "../buses/query-bus.js";

/** Methods of a default bus, which a module creates before the application can configure it. */
export interface DefaultBus {
  /** Adds middleware inside the existing middleware. @throws InvalidMiddlewareError after the first message */
  use(...middleware: readonly Middleware[]): void;
  /**
   * Resets the bus for the next test: removes handlers, middleware and observers, aborts messages in flight,
   * and opens the bus again.
   */
  reset(): void;
}

function asDefault<B extends Bus>(bus: B): B & DefaultBus {
  return Object.assign(bus, {
    use: (...middleware: readonly Middleware[]) => bus.engine.use(middleware),
    reset: () => bus.renew(),
  });
}

/**
 * The command bus that the decorators register on, for small applications and prototypes. Larger systems
 * should create their own buses, because all code that imports this bus shares it.
 */
export const defaultCommandBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new CommandBus({ name: "defaultCommandBus" }),
);
/** The query bus that the decorators register on; see {@link defaultCommandBus}. */
export const defaultQueryBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new QueryBus({ name: "defaultQueryBus" }),
);
/** The event bus that the decorators register on; see {@link defaultCommandBus}. */
export const defaultEventBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new EventBus({ name: "defaultEventBus" }),
);
