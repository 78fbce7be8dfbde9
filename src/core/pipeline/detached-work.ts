import type { LiveDelivery } from "../delivery/live-delivery.js";

/** Runs that other messages wait for, too, by the message that started them. */
const works = new WeakMap<LiveDelivery, Set<LiveDelivery>>();

/**
 * Keeps the operators that `work` runs through subscribed until it settles, even if the message that started it
 * settled earlier.
 */
export function keepUntilSettled(work: LiveDelivery): void {
  const { origin } = work;
  let pending = works.get(origin);
  if (pending === undefined) works.set(origin, (pending = new Set()));
  pending.add(work);
  work.whenSettled(() => pending.delete(work));
}

/** Runs `done` once the delivery is settled, and every run that it started for other messages. */
export function onFinished(delivery: LiveDelivery, done: () => void): void {
  delivery.whenSettled(() => {
    const [work] = works.get(delivery.origin) ?? [];
    if (work === undefined) done();
    else onFinished(work, done);
  });
}
