import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { Step } from "./form.js";

/**
 * Continues the pipeline unless the message settled while a middleware waited, for example by an abort or a time limit.
 */
export function resume(delivery: LiveDelivery, rest: Step): unknown {
  if (!delivery.pending) throw delivery.holder.result;
  return rest(delivery);
}
