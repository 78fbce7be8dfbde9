import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "@jest/globals";

const src = join(__dirname, "../../src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** What each folder may import besides itself; packages by name. */
const allowed: { readonly [folder: string]: readonly string[] } = {
  core: ["rxjs"],
  reactive: ["core", "rxjs"],
  defaults: ["core", "reactive"],
  middleware: ["core", "rxjs"],
  pino: ["core", "rxjs", "pino"],
  testing: ["core", "rxjs", "rxjs/testing"],
  opentelemetry: ["core", "rxjs", "@opentelemetry/api"],
};

interface Import {
  readonly from: string;
  /** A file of src, relative to it, or the name of a package. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const imports: readonly Import[] = files.flatMap((file) =>
  [
    ...readFileSync(join(src, file), "utf8").matchAll(
      /^(?:import|export)\s+(type\s)?[^;]*?from "([^"]+)";/gms,
    ),
  ].map(([, type, target]) => ({
    from: file,
    to: target!.startsWith(".")
      ? relative(src, join(src, dirname(file), target!)).replace(/\.js$/, ".ts")
      : target!,
    typeOnly: type !== undefined,
  })),
);

const folderOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "index");

describe("imports", () => {
  it("are found", () => expect(imports.length).toBeGreaterThan(50));

  it("follow the layers: core knows rxjs only, the rest knows core, and an edge its own peer", () => {
    const broken = imports.filter(({ from, to }) => {
      const [folder, target] = [folderOf(from), to.endsWith(".ts") ? folderOf(to) : to];
      return folder !== "index" && folder !== target && !(allowed[folder] ?? []).includes(target);
    });
    expect(broken).toEqual([]);
  });

  it("have no cycles at run time", () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports) {
      if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
    }
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      else if (!done.has(file)) for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of edges.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("make Subjects in few places", () => {
    const makers = files.filter((file) =>
      /new (Replay|Behavior|Async)?Subject\b/.test(readFileSync(join(src, file), "utf8")),
    );
    expect(makers.length).toBeLessThanOrEqual(6);
  });
});
