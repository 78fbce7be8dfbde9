import { isObservable } from "rxjs";
import { LiveDelivery } from "../core/delivery/live-delivery.js";
import { deepEqual } from "../core/messages/deep-equal.js";

/** Compares two values of a test by content and class; deliveries and Observables are equal only to themselves. */
export function equal(a: unknown, b: unknown): boolean {
  return deepEqual(a, b, {
    isOpaque: (value) => value instanceof LiveDelivery || isObservable(value),
    maxBytes: Infinity,
    emptyEqual: true,
  });
}
