type Attribute = string | number | boolean | undefined | ((event: never) => void);
type Child = Node | string | undefined;

/**
 * Makes an element. A function is a listener of the event, `true` an empty attribute, `false` and `undefined` are left out. Texts become
 * text nodes: nothing here or elsewhere on the page parses HTML.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else setAttribute(element, name, value);
  }
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

/** Sets or removes an attribute, unless it is so already: writing an equal value costs a style calculation. */
export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | undefined,
): void {
  const text = value === undefined || value === false ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === text) return;
  if (text === null) element.removeAttribute(name);
  else element.setAttribute(name, text);
}

/** Sets the text of an element, unless it is so already. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
