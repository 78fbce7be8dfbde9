import assert from "node:assert/strict";

/**
 * Warms up, then measures batches: { median, best } of them, in nanoseconds per message.
 *
 * A contender is `send(i)`, which is awaited before the next, or `batch(count)`, which sends as it likes; and `handled()`: how often
 * its handlers have run so far, `handlers` (1) times for each message. A contender that leaves out work is not compared.
 * A scenario whose handlers run less often by design counts its correct messages by `handled()`.
 *
 * `size` is the number of messages in a batch, and `warmUp` the number before the first one: fewer for slow messages.
 */
export async function measure(
  { send, batch = oneByOne(send), size, warmUp = 20_000, handled, handlers = 1 },
  quick,
) {
  const [warmUpMs, measureMs, batchMs] = quick ? [150, 250, 10] : [400, 1000, 25];
  let sent = 0;
  const timed = async (count) => {
    const started = performance.now();
    await batch(count);
    sent += count;
    return performance.now() - started;
  };

  // By number, too: on a busy machine time passes without anything getting warm.
  let count = size ?? 100;
  for (const end = performance.now() + warmUpMs; performance.now() < end || sent < warmUp;) {
    const ms = await timed(count);
    if (size === undefined && ms < batchMs / 2) count *= 2;
  }

  const batches = [];
  for (const end = performance.now() + measureMs; performance.now() < end || batches.length < 5;)
    batches.push(((await timed(count)) * 1e6) / count);

  assert.equal(handled(), sent * handlers, "the handlers did not run once for each message");
  return { median: median(batches), best: Math.min(...batches) };
}

export function oneByOne(send) {
  return async (count) => {
    for (let i = 0; i < count; i++) await send(i);
  };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
