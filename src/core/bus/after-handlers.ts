import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { DeliveryHost } from "../delivery/delivery-host.js";

/** Takes an event once its handlers have been called. */
export type Follower = (event: LiveDelivery) => void;

interface Followers {
  readonly all: Set<Follower>;
  /** Events that were told; middleware may hand them to the handlers again. */
  readonly told: WeakSet<LiveDelivery>;
}

const byBus = new WeakMap<DeliveryHost, Followers>();
/** Over all buses, so that publishing costs nothing more where nobody follows. */
let following = 0;

/** Tells of each event of a bus, once; the returned function ends that. */
export function onHandled(bus: DeliveryHost, follower: Follower): () => void {
  let followers = byBus.get(bus);
  if (followers === undefined) byBus.set(bus, (followers = { all: new Set(), told: new WeakSet() }));
  followers.all.add(follower);
  following++;
  return () => {
    if (followers.all.delete(follower)) following--;
  };
}

export function notifyHandled(event: LiveDelivery): void {
  if (following === 0) return;
  const followers = byBus.get(event.host);
  if (followers === undefined || followers.told.has(event.origin)) return;
  followers.told.add(event.origin);
  for (const follower of [...followers.all]) follower(event);
}
