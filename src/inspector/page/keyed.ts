/**
 * Keeps the children of an element in line with a list of items: an item that stays keeps its element, where it
 * is, so that focus and selected text stay, too.
 *
 * @returns the function that shows a list, and returns its elements
 */
export function keyed<T>(
  parent: Element,
  make: (item: T) => HTMLElement,
): (items: Iterable<T>) => ReadonlyMap<T, HTMLElement> {
  let known = new Map<T, HTMLElement>();
  return (items) => {
    const next = new Map<T, HTMLElement>();
    for (const item of items) next.set(item, known.get(item) ?? make(item));
    // The place of the focus, in case that its element goes: a message that settles is an item anew.
    const focused = [...parent.children].findIndex((child) => child.matches(":focus-within"));
    for (const [item, element] of known) if (!next.has(item)) element.remove();
    known = next;
    let index = 0;
    for (const element of next.values()) {
      const there = parent.children[index++] ?? null;
      if (there !== element) parent.insertBefore(element, there);
    }
    if (focused >= 0 && !parent.matches(":focus-within")) {
      parent.children[focused]?.querySelector<HTMLElement>("button")?.focus();
    }
    return next;
  };
}
