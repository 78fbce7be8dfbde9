export interface WorkLinks {
  /**
   * Promises of work that goes on although the delivery that ran it was aborted; on the origin, for all of its forks.
   */
  unfinished: Set<Promise<unknown>> | undefined;
}

interface Origin {
  readonly links: WorkLinks;
  readonly madeLinks: WorkLinks | undefined;
}

/** Remembers work that outlives its delivery, until it ends. */
export function rememberWork({ links }: Pick<Origin, "links">, work: Promise<unknown>): void {
  const unfinished = (links.unfinished ??= new Set());
  if (unfinished.has(work)) return;
  unfinished.add(work);
  const ended = (): void => {
    unfinished.delete(work);
    if (unfinished.size === 0 && links.unfinished === unfinished) links.unfinished = undefined;
  };
  work.then(ended, ended);
}

/**
 * Runs `done` once all work for a settled delivery has ended: synchronously, unless an abort or a time limit
 * gave the work up. For keys, slots and locks, because a second run must not start beside work that goes on.
 */
export function afterWork(delivery: { readonly origin: Origin }, done: () => void): void {
  const [work] = delivery.origin.madeLinks?.unfinished ?? [];
  if (work === undefined) return done();
  const next = (): void => afterWork(delivery, done);
  work.then(next, next);
}
