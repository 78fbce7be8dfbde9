import { filter, type OperatorFunction } from "rxjs";
import type { Delivery } from "../core/delivery/delivery.js";
import { isEnvelope, type Envelope } from "../core/messages/envelope.js";
import { InvalidMessageError } from "../core/errors.js";
import { checkClass, matcher, type MessageType, type ResultOf } from "../core/messages/message.js";
import type { FulfilledOutcome, Outcome, RejectedOutcome } from "../core/delivery/outcome.js";

/** The type of a stream item that is known to concern messages of type `M`. */
export type About<T, M> = T extends Envelope
  ? Envelope<M>
  : T extends Delivery<object, infer R>
    ? Delivery<M, R>
    : T extends { readonly status: "fulfilled" }
      ? FulfilledOutcome<M, ResultOf<M>>
      : T extends { readonly status: "rejected" }
        ? RejectedOutcome<M>
        : never;

/**
 * Narrows a stream of envelopes, deliveries or outcomes to some message types: each class and all classes below it.
 *
 * @throws InvalidMessageError without types and for values that are not classes, because no item would ever pass
 * @example
 * const created$ = commandBus.outcomes$.pipe(ofType(CreateUser), fulfilled());
 * created$.subscribe(({ envelope }) => console.log(envelope.payload.email));
 */
export function ofType<T extends Envelope | Delivery | Outcome, C extends readonly MessageType[]>(
  ...types: C
): OperatorFunction<T, About<T, InstanceType<C[number]>>> {
  if (types.length === 0)
    throw new InvalidMessageError("ofType() takes at least one type; pass the classes of the messages.");
  types.forEach(checkClass);
  const matches = matcher(types);
  return filter((item: T): item is T & About<T, InstanceType<C[number]>> => matches(messageOf(item)));
}

function messageOf(item: Envelope | Delivery | Outcome): object {
  if ("message" in item) return item.message;
  return isEnvelope(item) ? item.payload : item.envelope.payload;
}

/** Passes only the outcomes of messages that succeeded. */
export function fulfilled<T extends Outcome>(): OperatorFunction<T, Extract<T, FulfilledOutcome>> {
  return filter((outcome: T): outcome is Extract<T, FulfilledOutcome> => outcome.status === "fulfilled");
}

/** Passes only the outcomes of messages that failed. */
export function rejected<T extends Outcome>(): OperatorFunction<T, Extract<T, RejectedOutcome>> {
  return filter((outcome: T): outcome is Extract<T, RejectedOutcome> => outcome.status === "rejected");
}
