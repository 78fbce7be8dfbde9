type Attribute = string | number | boolean | undefined | ((event: never) => void);
type Attributes = Readonly<Record<string, Attribute>>;
type Child = Node | string | undefined | false;
type Children = Child | readonly Child[];
type TagOf<S extends string> = S extends `${infer T}.${string}`
  ? TagOf<T>
  : S extends `${infer T}#${string}`
    ? T
    : S;
type ElementOf<T extends string> = T extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[T]
  : HTMLElement;

/**
 * Makes an element: `h("button.icon#pause", { click: pause }, "Pause")` has the class `icon` and the test id
 * `pause`. A function among the attributes is a listener. Texts become text nodes: nothing here or elsewhere on
 * the page parses HTML.
 */
export function h<S extends string>(
  tag: S,
  attributes?: Attributes | Children,
  ...children: readonly Children[]
): ElementOf<TagOf<S>> {
  const [name, ...marks] = tag.split(/(?=[.#])/);
  const element = document.createElement(name!);
  for (const mark of marks) {
    if (mark.startsWith(".")) element.classList.add(mark.slice(1));
    else element.dataset.testid = mark.slice(1);
  }
  if (isAttributes(attributes)) {
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(key, value as EventListener);
      else setAttribute(element, key, value);
    }
  } else children = [attributes, ...children];
  for (const child of children.flat() as readonly Child[]) if (child) element.append(child);
  return element as ElementOf<TagOf<S>>;
}

function isAttributes(value: Attributes | Children): value is Attributes {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Node);
}

/**
 * Sets an attribute, or removes it for `false` and `undefined`, unless it is so already: writing an equal value
 * costs a style calculation. Attributes of ARIA are `true` or `false` as text.
 */
export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | undefined,
): void {
  const isFlag = typeof value === "boolean" && !name.startsWith("aria-");
  const text = value === undefined || (isFlag && !value) ? null : isFlag ? "" : String(value);
  if (element.getAttribute(name) === text) return;
  if (text === null) element.removeAttribute(name);
  else element.setAttribute(name, text);
}

/** Sets the text of an element, unless it is so already. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes the terms and descriptions of a `dl`. */
export function terms(rows: readonly (readonly [Children, Children])[]): readonly HTMLElement[] {
  return rows.flatMap(([term, text]) => [h("dt", term), h("dd", text)]);
}
