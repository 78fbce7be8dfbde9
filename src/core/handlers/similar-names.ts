import { nameOf, type MessageType } from "../messages/message.js";

/** How many names are compared with one at most, because an unknown message must not block the process. */
const MOST_COMPARED = 100;

/** The names of registered types, for the hint of an error: those that the caller may have meant. */
export class SimilarNames {
  /** The types by the letters in their names, so that a similar name is found among 10,000 without a search. */
  readonly #byLetters = new Map<number, Set<MessageType>>();

  add(type: MessageType): void {
    const letters = lettersOf(nameOf(type));
    this.#byLetters.set(letters, (this.#byLetters.get(letters) ?? new Set()).add(type));
  }

  delete(type: MessageType): void {
    this.#byLetters.get(lettersOf(nameOf(type)))?.delete(type);
  }

  clear(): void {
    this.#byLetters.clear();
  }

  /** Returns whether another type has the name. */
  hasOther(type: MessageType | undefined, name: string): boolean {
    const alike = this.#byLetters.get(lettersOf(name)) ?? [];
    return [...alike].some((known) => known !== type && nameOf(known) === name);
  }

  /**
   * Returns the three names that are nearest to `name`: of those whose letters differ by two or less first, then of
   * `others`.
   */
  nearest(name: string, others: Iterable<MessageType>): readonly string[] {
    const letters = lettersOf(name);
    const candidates = new Set(this.#byLetters.get(letters));
    for (let one = 0; one < 32; one++)
      for (let other = one; other < 32; other++)
        for (const type of this.#byLetters.get(letters ^ ((1 << one) | (1 << other))) ?? [])
          candidates.add(type);
    for (const type of others) {
      if (candidates.size >= MOST_COMPARED) break;
      candidates.add(type);
    }
    const distance = distanceFrom(name);
    return [...candidates]
      .slice(0, MOST_COMPARED)
      .map(nameOf)
      .map((known) => ({ known, distance: distance(known) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, 3)
      .map(({ known }) => known);
  }
}

/** Returns a number with one bit set for each letter that occurs in a name. */
function lettersOf(name: string): number {
  let letters = 0;
  for (let at = 0; at < name.length && at < 64; at++) letters |= 1 << (name.charCodeAt(at) & 31);
  return letters;
}

/**
 * Returns a function that measures how far a name is from `name`: 0 for equal names, 1 for names without a
 * common pair of letters (Dice).
 */
function distanceFrom(name: string): (other: string) => number {
  // Names are cut at 64 pairs, because a name that comes from outside may have any length.
  const pairsOf = (text: string): string[] =>
    Array.from({ length: Math.min(Math.max(text.length - 1, 1), 64) }, (_, at) =>
      text.slice(at, at + 2).toLowerCase(),
    );
  const pairs = pairsOf(name);
  return (other) => {
    const others = pairsOf(other);
    const known = new Set(others);
    return 1 - (2 * pairs.filter((pair) => known.has(pair)).length) / (pairs.length + others.length);
  };
}
