import type { Bus } from "../core/bus/bus.js";
import { CommandBus } from "../buses/command-bus.js";
import { EventBus } from "../buses/event-bus.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { QueryBus } from "../buses/query-bus.js";

/** What a bus needs that a module makes before the application has a say. */
export interface DefaultBus {
  /** Adds middleware inside what there is. @throws InvalidMiddlewareError after the first message. */
  use(...middleware: readonly Middleware[]): void;
  /** As new: no handlers, middleware or observers, open; what is in flight is aborted. For tests. */
  reset(): void;
}

function asDefault<B extends Bus>(bus: B): B & DefaultBus {
  return Object.assign(bus, {
    use: (...middleware: readonly Middleware[]) => bus.engine.use(middleware),
    reset: () => bus.renew(),
  });
}

/**
 * A bus for small applications and prototypes, where the decorators register. Larger systems are better off with explicit buses:
 * whoever imports this one shares it.
 */
export const defaultCommandBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new CommandBus({ name: "defaultCommandBus" }),
);
/** See {@link defaultCommandBus}. */
export const defaultQueryBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new QueryBus({ name: "defaultQueryBus" }),
);
/** See {@link defaultCommandBus}. */
export const defaultEventBus = /* @__PURE__ */ asDefault(
  /* @__PURE__ */ new EventBus({ name: "defaultEventBus" }),
);
