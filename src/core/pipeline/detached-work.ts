import type { LiveDelivery } from "../delivery/live-delivery.js";

/** Work that messages began and others wait for, by the message that was dispatched. */
const works = new WeakMap<LiveDelivery, Set<LiveDelivery>>();

/** What `work` runs through is to stay subscribed to until it has ended, also if the message that began it is gone by then. */
export function keepUntilSettled(work: LiveDelivery): void {
  const { origin } = work;
  let pending = works.get(origin);
  if (pending === undefined) works.set(origin, (pending = new Set()));
  pending.add(work);
  work.whenSettled(() => pending.delete(work));
}

/** Runs `done` once the delivery is settled, and the work that it began for others. */
export function onFinished(delivery: LiveDelivery, done: () => void): void {
  delivery.whenSettled(() => {
    const [work] = works.get(delivery.origin) ?? [];
    if (work === undefined) done();
    else onFinished(work, done);
  });
}
