import type { Bus } from "../buses/bus.js";
import { checkOption, withMethods, check } from "../core/checks.js";
import type { DescribedBus, DescribedPart } from "./protocol.js";
import type { Redact } from "./redaction.js";
import { valueText } from "./value-text.js";

/** A part of an application that is not a bus, and describes itself: a link, a feed, a worker. */
export interface Describable {
  describe(): object;
}

/** The buses to look at: one, several, or several with names and other parts beside them. */
export type Inspected = Bus | readonly Bus[] | { readonly [name: string]: Bus | Describable };

export interface Part {
  readonly name: string;
  readonly bus: Bus | undefined;
  readonly describe: () => object;
}

/** The longest description of a part that is not a bus, in characters. */
const DESCRIPTION = 16_384;

const aPart = withMethods("a bus, or an object with a method describe()", "describe");
const inspected = check(
  "a bus, an array of buses, or an object of buses and objects with a method describe()",
  (value) => typeof value === "object" && value !== null,
);

/** @throws InvalidOptionsError for a value that does not describe itself */
export function partsOf(buses: Inspected): readonly Part[] {
  checkOption("inspect()", "buses", buses, { ...inspected, required: true });
  const entries = isBus(buses)
    ? [[undefined, buses] as const]
    : Array.isArray(buses)
      ? (buses as readonly Bus[]).map((bus) => [undefined, bus] as const)
      : Object.entries(buses as { readonly [name: string]: Bus | Describable });
  const names = new Set<string>();
  return entries.map(([given, part], index) => {
    checkOption("inspect()", `buses[${JSON.stringify(given ?? index)}]`, part, { ...aPart, required: true });
    const bus = isBus(part) ? part : undefined;
    const name = unused(given ?? bus?.describe().name ?? `part ${index + 1}`, names);
    return { name, bus, describe: () => part.describe() };
  });
}

function unused(name: string, names: Set<string>): string {
  let unique = name;
  for (let count = 2; names.has(unique); count++) unique = `${name} ${count}`;
  names.add(unique);
  return unique;
}

/** Known by its streams, because the bus may come from another copy of the library. */
function isBus(value: unknown): value is Bus {
  return typeof value === "object" && value !== null && "messages$" in value && "outcomes$" in value;
}

/** Describes a part as plain data. A description that throws becomes text. */
export function described({ name, bus, describe }: Part, redact: Redact): DescribedPart {
  try {
    const description = describe();
    if (bus !== undefined) return { name, bus: description as DescribedBus };
    return { name, other: JSON.parse(valueText(description, DESCRIPTION, redact)) as unknown };
  } catch (error) {
    return { name, other: `describe() failed: ${error instanceof Error ? error.name : typeof error}` };
  }
}
