/**
 * How deep dispatches are nested right now, over all buses: they run inside each other like function calls. An observer
 * runs at the depth of the message that it observes, so that an observer that dispatches without end gets deeper, too.
 */
export const dispatchDepth = { current: 0 };

const rooms = new Map<number, readonly undefined[]>();

/**
 * Returns whether the stack has room for so many kilobytes more. Takes the room as arguments of a call, because
 * engines tell nothing of their stack, and a dispatch that overflows it has none left to settle its message.
 */
export function hasStackRoom(kilobytes: number): boolean {
  // One array per size: building a list of arguments anew for each message would cost forty times as much as
  // passing it.
  let words = rooms.get(kilobytes);
  if (words === undefined)
    rooms.set(kilobytes, (words = Array.from({ length: kilobytes * 128 }, () => undefined)));
  try {
    Reflect.apply(Boolean, undefined, words);
    return true;
  } catch {
    return false;
  }
}
