import type { Closeable, PartsDescription } from "../delivery/delivery-host.js";
import type { HandlerRegistry } from "../handlers/registry.js";
import { nameOf } from "../messages/message.js";
import { gaugesOf } from "../pipeline/form.js";
import type { Middleware } from "../pipeline/middleware.js";
import type { BusDescription, HandlersDescription } from "./options.js";

export function describeHandlers(registry: HandlerRegistry): readonly HandlersDescription[] {
  return Array.from(registry.entries(), ([type, registrations]) => ({
    messageType: nameOf(type),
    handlers: registrations.map(({ name }) => name),
    ...(registrations.some(({ middleware }) => middleware !== undefined) && {
      middleware: registrations.map(({ middleware = [] }) => middleware),
    }),
  }));
}

/** Asks what is attached to a bus, and the middleware of the application, to describe themselves. */
export function describeParts(
  closeables: Iterable<Closeable>,
  middleware: readonly Middleware[],
): Pick<BusDescription, "gauges" | "sagas" | "watchers"> {
  const parts: PartsDescription = { gauges: [], sagas: [], watchers: new Map() };
  const { gauges, sagas, watchers } = parts;
  for (const part of closeables) part.describe?.(parts);
  for (const item of middleware) gauges.push(...gaugesOf(item));
  return {
    ...(gauges.length > 0 && { gauges }),
    ...(sagas.length > 0 && { sagas }),
    ...(watchers.size > 0 && { watchers: [...watchers.values()] }),
  };
}
