import type { DeliveryHost } from "./delivery-host.js";
import type { Delivery } from "./delivery.js";

/**
 * Runs code that must not change the result of a message, such as telemetry, clocks and teardowns. Returns its
 * value, or `undefined` after reporting the error that it threw on `faults$`.
 *
 * @param delivery - the message that the fault is about; its envelope is made only for a fault
 */
export function reportingErrors<T>(
  host: Pick<DeliveryHost, "report">,
  source: string,
  run: () => T,
  delivery?: Pick<Delivery, "envelope">,
): T | undefined {
  try {
    return run();
  } catch (error) {
    host.report({ kind: "observer", source, error, envelope: delivery?.envelope });
    return undefined;
  }
}
