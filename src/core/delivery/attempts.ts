import type { LiveDelivery } from "./live-delivery.js";

/** Says that a message was tried before it came to this bus. */
export function continueFrom({ links }: LiveDelivery, attempt: number): void {
  links.attempt = attempt;
  links.triedBefore = links.retries = attempt - 1;
}

/** Forks for one attempt of several, counted from 1. */
export function forkForAttempt(delivery: LiveDelivery, attempt: number): LiveDelivery {
  const fork = delivery.forked();
  const { links } = delivery.origin;
  fork.links.attempt = attempt + links.triedBefore;
  if (attempt > 1) links.retries++;
  return fork;
}
