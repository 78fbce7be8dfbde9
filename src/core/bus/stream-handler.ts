import { Observable, Subject, type Subscription } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import type { Engine } from "./engine.js";
import { HandlerStoppedError } from "../errors.js";
import { catchObserverErrors } from "../util/guarded-observable.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { nameOf, type MessageType } from "../messages/message.js";
import type { HandlerRegistry } from "../handlers/registry.js";

/**
 * Returns the deliveries of one type as a stream. Its subscriber is the handler, and settles each delivery. Deliveries that are unsettled when
 * it ends are rejected, and the type is free again.
 */
export function streamHandler<M extends object, R>(
  type: MessageType<M>,
  registry: HandlerRegistry,
  host: Engine,
): Observable<Delivery<M, R>> {
  const name = `deliveries(${nameOf(type)})`;

  const lane = new Observable<Delivery<M, R>>((subscriber) => {
    // A subscriber that comes after the end would never complete.
    if (host.closed) return subscriber.complete();
    const subject = new Subject<LiveDelivery>();
    const unsettled = new Set<LiveDelivery>();
    let registration: Subscription;
    try {
      registration = registry.add(type, {
        handler: lane,
        name,
        call(_message, context) {
          const delivery = context as unknown as LiveDelivery;
          // A fork, because an event may have other handlers, and the middleware above waits for the result.
          const mine = delivery.fork();
          unsettled.add(mine);
          mine.whenSettled(() => unsettled.delete(mine));
          subject.next(mine);
          return mine.asResult();
        },
      });
    } catch (error) {
      subscriber.error(error);
      return undefined;
    }
    const detach = host.attach({ stop: () => subscriber.complete() });
    subject.subscribe(subscriber as never);
    return () => {
      detach();
      registration.unsubscribe();
      if (unsettled.size === 0) return;
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
