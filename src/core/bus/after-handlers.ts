import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { DeliveryHost } from "../delivery/delivery-host.js";
import { captureContext, type AsyncScope } from "../util/async-context.js";

/** Receives events once their handlers have been called. */
export interface Follower {
  /** Handles an event at once, or after those that wait. */
  receive(event: LiveDelivery): void;
  /** Lets an event wait. Followers share the `scope` that it was published in. */
  keep(event: LiveDelivery, scope: AsyncScope): void;
  /** Handles the events that wait. `here` is the scope that this is called in. */
  drain(here: AsyncScope): void;
}

interface Followers {
  readonly all: Set<Follower>;
  /** Events that followers have received, because middleware may pass an event to the handlers again. */
  readonly told: WeakSet<LiveDelivery>;
}

const byBus = new WeakMap<DeliveryHost, Followers>();
/** Counts the followers of all buses, so that publishing without followers costs nothing more. */
let following = 0;

/**
 * Calls `follower` with each event of a bus, once. Sagas need the time after the handlers were called: on
 * `messages$` they would react to an event before its handlers see it. The returned function ends that.
 */
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
  if (followers === undefined || followers.all.size === 0) return;
  // Remember the event only where a middleware may run its handlers again.
  if (event.host.hasMiddleware !== false) {
    if (followers.told.has(event.origin)) return;
    followers.told.add(event.origin);
  }
  const all = [...followers.all];
  if (all.length === 1) return all[0]!.receive(event);
  // Give all followers the event before the first reacts to it. Otherwise the others would receive the effects of the
  // event before the event.
  const scope = captureContext();
  for (const follower of all) follower.keep(event, scope);
  for (const follower of all) follower.drain(scope);
}
