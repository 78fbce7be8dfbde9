import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "@jest/globals";

const src = join(__dirname, "../../src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

interface Row {
  /** Wings, files or packages that a wing may import besides itself. */
  readonly may: readonly string[];
  /** Wings of which it may import types only. */
  readonly mayType?: readonly string[];
}

const BELOW_BUS = [
  "core/pipeline",
  "core/delivery",
  "core/handlers",
  "core/messages",
  "core/errors",
  "core/checks",
  "core/util",
  "rxjs",
];
const CORE = ["core/bus", ...BELOW_BUS];

/** The table of `src/README.md`: each wing may import those below it. */
const table: Readonly<Record<string, Row>> = {
  "core/util": { may: ["rxjs"] },
  "core/errors": { may: [], mayType: ["core/util"] },
  "core/checks": { may: ["core/errors", "core/util"] },
  "core/messages": { may: ["core/errors", "core/checks", "core/util"] },
  "core/handlers": {
    may: ["core/messages", "core/errors", "core/checks", "core/util", "rxjs"],
    mayType: ["core/delivery"],
  },
  "core/delivery": {
    may: ["core/messages", "core/errors", "core/checks", "core/util", "rxjs"],
    mayType: ["core/handlers"],
  },
  "core/pipeline": { may: BELOW_BUS },
  "core/bus": { may: CORE },
  schema: { may: ["core/messages", "core/errors", "core/checks", "core/util"] },
  reactive: { may: CORE },
  buses: { may: ["reactive", ...CORE] },
  saga: { may: CORE, mayType: ["buses"] },
  defaults: { may: ["buses", ...CORE] },
  middleware: { may: BELOW_BUS },
  pino: { may: [...BELOW_BUS, "pino"], mayType: ["buses"] },
  opentelemetry: { may: [...BELOW_BUS, "@opentelemetry/api"], mayType: ["buses"] },
  http: { may: BELOW_BUS },
  transport: { may: BELOW_BUS, mayType: ["buses"] },
  nats: {
    may: ["transport", ...BELOW_BUS, "@nats-io/transport-node", "@nats-io/jetstream", "@nats-io/kv"],
  },
  testing: { may: [...BELOW_BUS, "rxjs/testing"], mayType: ["buses", "transport"] },
  postgres: { may: [...BELOW_BUS, "node:async_hooks", "node:crypto"], mayType: ["buses"] },
  inspector: { may: BELOW_BUS, mayType: ["buses", "core/bus"] },
};

interface Import {
  readonly from: string;
  /** A file of src, relative to it, or the name of a package. */
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?([^;]*?)\bfrom "([^"]+)";/gms);
  return [...statements].map(([, type, names, target]) => ({
    from: file,
    to: target!.startsWith(".")
      ? relative(src, join(src, dirname(file), target!)).replace(/\.js$/, ".ts")
      : target!,
    typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names!),
  }));
}

const imports = files.flatMap(importsOf);

/** `core/delivery` for a file of a wing of the core, `reactive` for one of another folder, `core/errors` for a file of the core itself. */
function wingOf(file: string): string {
  if (!file.endsWith(".ts")) return file;
  const [folder, ...rest] = file.replace(/\.ts$/, "").split("/");
  return folder === "core" ? `core/${rest[0]}` : rest.length === 0 ? "index" : folder!;
}

/** Groups of files of which each leads to each other, by Tarjan's algorithm. */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) circles.push(circle);
  };
  for (const file of edges.keys()) if (!index.has(file)) visit(file);
  return circles;
}

describe("imports", () => {
  it("are found in the sources", () => expect(imports.length).toBeGreaterThan(200));

  it("of every wing are in the table", () =>
    expect([...new Set(files.map(wingOf))].filter((wing) => wing !== "index" && !(wing in table))).toEqual(
      [],
    ));

  it("follow the table, those of types included", () => {
    const broken = imports.filter(({ from, to, typeOnly }) => {
      const [wing, target] = [wingOf(from), wingOf(to)];
      if (wing === "index" || wing === target) return false;
      const { may = [], mayType = [] } = table[wing] ?? {};
      return !may.includes(target) && !(typeOnly && mayType.includes(target));
    });
    expect(broken.map(({ from, to, typeOnly }) => `${from} → ${to}${typeOnly ? " (type)" : ""}`)).toEqual([]);
  });

  it("have no circle, those of types included", () => {
    const edges = new Map<string, string[]>();
    for (const { from, to } of imports) edges.set(from, [...(edges.get(from) ?? []), to]);
    expect(circlesOf(edges)).toEqual([]);
  });

  it("are a circle where two files need each other", () => {
    expect(
      circlesOf(
        new Map([
          ["a", ["b"]],
          ["b", ["c"]],
          ["c", ["b"]],
        ]),
      ),
    ).toEqual([["b", "c"]]);
  });
});

it("the sources make Subjects in few places", () => {
  const makers = files.filter((file) =>
    /new (Replay|Behavior|Async)?Subject\b/.test(readFileSync(join(src, file), "utf8")),
  );
  expect(makers.length).toBeLessThanOrEqual(6);
});
