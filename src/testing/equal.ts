import { isObservable } from "rxjs";
import { deepEqual } from "../core/messages/deep-equal.js";
import { MADE_BY } from "../core/util/copy.js";

/** Compares two values of a test by content and class; deliveries and Observables are equal only to themselves. */
export function equal(a: unknown, b: unknown): boolean {
  return deepEqual(a, b, {
    isOpaque: (value) => MADE_BY in value || isObservable(value),
    maxBytes: Infinity,
    emptyEqual: true,
  });
}
