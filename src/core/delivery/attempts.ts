import type { LiveDelivery } from "./live-delivery.js";

/** Says that a message was tried before it came to this bus. */
export function continueFrom({ links }: LiveDelivery, attempt: number): void {
  links.attempt = links.attempts = attempt;
}

/** Forks for one attempt of several, counted from 1. */
export function forkForAttempt(delivery: LiveDelivery, attempt: number): LiveDelivery {
  const fork = delivery.forked();
  const { links } = delivery.origin;
  fork.links.attempt = links.attempt + attempt - 1;
  if (attempt > 1) links.attempts++;
  return fork;
}
