import type { MessageKind, MessageType } from "../core/messages/message.js";

/** A method that a decorator marked as the handler of a type. */
export interface Mark {
  readonly kind: MessageKind;
  readonly type: MessageType;
  readonly name: string | symbol;
  /** Returns the method of an instance, which is an override if there is one. */
  readonly method: (instance: object) => unknown;
  /** A private method is found by the class that declares it, and never overridden. */
  readonly isPrivate: boolean;
}

/** A symbol of the registry, because every copy of the library reads the marks. */
const MARKS = Symbol.for("cqrx.handlers");

interface Marked {
  readonly [MARKS]?: Mark[];
}

/**
 * Marks a method on a prototype, once. Prototypes are marked because every proxy and every copy of the library
 * sees them.
 */
export function markHandler(prototype: object, mark: Mark): void {
  if (!Object.hasOwn(prototype, MARKS)) Object.defineProperty(prototype, MARKS, { value: [] });
  const marks = (prototype as Marked)[MARKS]!;
  if (!marks.includes(mark)) marks.push(mark);
}

/**
 * Returns the marks of an instance, those of base classes first. An override takes the place of the method that it
 * overrides, with or without a decorator of its own.
 */
export function marksOf(instance: object): readonly Mark[] {
  const found: Mark[] = [];
  for (const prototype of prototypesOf(instance).reverse()) {
    for (const mark of Object.hasOwn(prototype, MARKS) ? (prototype as Marked)[MARKS]! : [])
      if (!found.some((other) => other === mark || isOverride(mark, other))) found.push(mark);
  }
  return found;
}

function isOverride(mark: Mark, other: Mark): boolean {
  return (
    mark.kind === other.kind &&
    mark.type === other.type &&
    mark.name === other.name &&
    !mark.isPrivate &&
    !other.isPrivate
  );
}

function prototypesOf(instance: object): object[] {
  const prototypes: object[] = [];
  let prototype = Object.getPrototypeOf(instance) as object | null;
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null)
    prototypes.push(prototype);
  return prototypes;
}
