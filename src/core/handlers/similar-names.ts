import { nameOf, type MessageType } from "../messages/message.js";

/** How many names are read at most, because an unknown message must not block the process. */
const MOST_READ = 100;

/**
 * Returns a number in which each pair of neighbouring letters of a name sets a bit, so that similar names differ in few
 * bits.
 */
export function pairsOf(name: string): number {
  let pairs = 0;
  // Names are cut, because a name that comes from outside may have any length.
  for (let at = 1; at < name.length && at < 64; at++)
    pairs |= 1 << (3 * name.charCodeAt(at - 1) + name.charCodeAt(at));
  return pairs;
}

/** Returns the names of the types whose pairs of letters differ least from those of a name, nearest first. */
export function namesNear(name: string, types: ReadonlyMap<MessageType, number>): readonly string[] {
  const pairs = pairsOf(name);
  const byDistance: MessageType[][] = Array.from({ length: 33 }, () => []);
  for (const [type, others] of types) byDistance[bitsIn(pairs ^ others)]!.push(type);
  // concat() instead of flat(), because that takes 2 µs a type.
  return ([] as MessageType[])
    .concat(...byDistance)
    .slice(0, MOST_READ)
    .map(nameOf);
}

function bitsIn(value: number): number {
  let bits = 0;
  for (; value !== 0; value &= value - 1) bits++;
  return bits;
}
