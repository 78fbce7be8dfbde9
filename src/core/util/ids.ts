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

/**
 * Returns a version 4 UUID: each 0 and 1 becomes any digit, and the 8 one of 8 to b. Not `randomUUID`, which browsers
 * offer in secure contexts only.
 */
function randomId(): string {
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    return (+digit ^ (byte! & (15 >> (+digit / 4)))).toString(16);
  });
}
