/**
 * Whether the stack has room for so many kilobytes more. Found out by taking the room, as arguments of a call: engines tell nothing of their stack, and
 * whoever comes to its end within a dispatch has none left to settle it.
 */
export function hasStackRoom(kilobytes: number): boolean {
  try {
    Reflect.apply(Boolean, undefined, { length: kilobytes * 128 });
    return true;
  } catch {
    return false;
  }
}
