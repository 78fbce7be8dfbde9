/**
 * How deep dispatches are nested right now, over all buses: they run inside each other like function calls.
 * An observer runs at the depth of the message that it observes, so that an observer that dispatches without end gets deeper, too.
 */
export const dispatchDepth = { current: 0 };

/**
 * Returns whether the stack has room for so many kilobytes more. Takes the room as arguments of a call, because engines tell nothing of their
 * stack, and a dispatch that overflows it has none left to settle its message.
 */
export function hasStackRoom(kilobytes: number): boolean {
  try {
    Reflect.apply(Boolean, undefined, { length: kilobytes * 128 });
    return true;
  } catch {
    return false;
  }
}
