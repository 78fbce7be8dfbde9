let complainedAt = -Infinity;

/** The last resort for errors that nobody listens to: on the console, at most once a second. */
export function reportUnhandled(bus: string, error: unknown): void {
  const now = performance.now();
  if (now - complainedAt < 1_000) return;
  complainedAt = now;
  // eslint-disable-next-line no-console -- nobody else is left to be told
  console.error(
    `${bus}: an error that no promise carries; subscribe to faults$ to handle such errors.`,
    error,
  );
}
