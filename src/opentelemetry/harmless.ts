import type { LiveDelivery } from "../core/delivery/live-delivery.js";

/** Telemetry must not change what it looks at: what it fails with is a fault of an observer. */
export function harmless<T>(delivery: LiveDelivery, source: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    delivery.host.report({ kind: "observer", source, error, envelope: delivery.envelope });
    return undefined;
  }
}
