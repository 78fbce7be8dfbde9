let prefix = "";
let count = 0;

/**
 * Returns an id that is unique in the world: 122 random bits of this process, then a counter. The bits are
 * shared because a random UUID for each id would cost more than a whole dispatch.
 */
export function uniqueId(): string {
  prefix ||= `${randomId()}-`;
  return prefix + (++count).toString(36);
}

/** Returns a version 4 UUID, also where browsers offer no `randomUUID` because the context is not secure. */
function randomId(): string {
  return (
    globalThis.crypto.randomUUID?.() ??
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (+digit ^ (globalThis.crypto.getRandomValues(new Uint8Array(1))[0]! & (15 >> (+digit / 4)))).toString(
        16,
      ),
    )
  );
}
