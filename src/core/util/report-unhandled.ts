let reportedAt = -Infinity;

/** Reports an error that has no subscriber: on the console, at most once a second. */
export function reportUnhandled(bus: string, error: unknown): void {
  const now = performance.now();
  if (now - reportedAt < 1_000) return;
  reportedAt = now;
  // eslint-disable-next-line no-console -- no subscriber is left that could report it
  console.error(
    `${bus}: an error occurred that no promise carries; subscribe to faults$ to handle such errors.`,
    error,
  );
}
