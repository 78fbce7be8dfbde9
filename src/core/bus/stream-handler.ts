import { Observable, Subject } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import type { Engine } from "./engine.js";
import { checkOptions, positiveMilliseconds } from "../checks.js";
import { HandlerStoppedError, MessageHeldError } from "../errors.js";
import { catchObserverErrors } from "../util/guarded-observable.js";
import type { Registration } from "../handlers/handler.js";
import type { HandlerRelease } from "../pipeline/handler-middleware.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { nameOf, type MessageType } from "../messages/message.js";
import { Deadlines } from "../util/deadlines.js";
import type { DeliveriesOptions } from "./options.js";

/**
 * Returns the deliveries of one type as a stream. Its subscriber is the handler, and settles each delivery.
 * Deliveries that are unsettled when it ends are rejected, and the type is free again. So are those that it does
 * not settle in time, because an operator such as `exhaustMap` may have dropped them.
 */
export function streamHandler<M extends object, R>(
  type: MessageType<M>,
  host: Engine,
  options: DeliveriesOptions = {},
  release?: HandlerRelease["release"],
): Observable<Delivery<M, R>> {
  checkOptions<DeliveriesOptions>("deliveries()", options, { holdTimeoutMs: positiveMilliseconds });
  const { holdTimeoutMs = 30_000 } = options;
  const name = `deliveries(${nameOf(type)})`;

  const lane = new Observable<Delivery<M, R>>((subscriber) => {
    // A subscriber that comes after the end would never complete.
    if (host.closed) return subscriber.complete();
    const subject = new Subject<LiveDelivery>();
    const held = new Deadlines<LiveDelivery>(holdTimeoutMs, (delivery) => {
      const error = new MessageHeldError(delivery.typeName, name, holdTimeoutMs);
      delivery.reject(error);
      host.report({ kind: "handler", source: name, error, envelope: delivery.envelope });
    });
    const handler: Registration = {
      handler: lane,
      name,
      call(_message, context) {
        // A message that a middleware held may arrive after the handler has ended.
        if (subscriber.closed) throw new HandlerStoppedError(nameOf(type));
        const delivery = context as unknown as LiveDelivery;
        // Hand on a fork, because an event may have other handlers, and the middleware above waits for the result.
        const mine = delivery.forked();
        held.add(mine);
        mine.whenSettled(() => held.delete(mine));
        subject.next(mine);
        if (mine.pending) held.arm();
        return mine.asResult();
      },
    };
    const registration = host.registry.add(type, handler);
    const detach = host.attach({ stop: () => subscriber.complete() });
    subject.subscribe(subscriber as never);
    return () => {
      detach();
      registration.unsubscribe();
      release?.(handler);
      held.disarm();
      const unsettled = held.keys;
      if (unsettled.length === 0) return;
      const error = new HandlerStoppedError(nameOf(type));
      for (const delivery of unsettled) delivery.reject(error);
      host.report({ kind: "handler", source: name, error });
    };
  });

  // A handler that throws on a delivery, or on a batch of them, has replied with its error.
  return catchObserverErrors(lane, (error, value) => {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (item instanceof Object && "reject" in item) (item as Delivery).reject(error);
    }
    host.report({ kind: "observer", source: name, error });
  });
}
