// Promises about the structure of the package rather than its behaviour.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, jest } from "@jest/globals";
import type * as cqrxModule from "cqrx";
import type * as rxjsModule from "rxjs";

const root = join(__dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, unknown> | undefined> & {
  sideEffects: unknown;
};
const core = readdirSync(join(root, "src/core"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/core/${file}`);

const isInCore = (path: string): boolean => core.includes(path.replace(/\.js$/, ".ts"));

/** Returns the run-time imports of a file; those of types do not count. */
function importsOf(path: string): string[] {
  const found = read(path).matchAll(
    /^(?:import|export)\s+(?!type\b)[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm,
  );
  return [...found].map(([, from, dynamic]) => (from ?? dynamic)!);
}

describe("the package", () => {
  it("S04 has no dependency, and no mandatory peer but rxjs", () => {
    const optional = manifest["peerDependenciesMeta"] as Record<string, { optional?: boolean }>;

    expect(manifest["dependencies"]).toBeUndefined();
    expect(
      Object.keys(manifest["peerDependencies"]!).filter((name) => optional[name]?.optional !== true),
    ).toEqual(["rxjs"]);
  });

  it("S04 S23 S24 S60 has a core that imports rxjs and itself, so that everything else is layered on it", () => {
    const foreign = core.flatMap((path) =>
      importsOf(path)
        .filter((from) => from !== "rxjs" && !isInCore(join(path, "..", from)))
        .map((from) => `${path}: ${from}`),
    );

    expect(core.flatMap(importsOf)).toContain("rxjs");
    expect(foreign).toEqual([]);
  });

  it("S22 has a core in which nothing needs the decorators or the default buses", () => {
    const needing = core.filter((path) =>
      importsOf(path).some((from) => /decorators|default-buses/.test(from)),
    );

    expect(needing).toEqual([]);
  });

  it("S23 offers no queue, store or transport in its first entry point", () => {
    const names = Object.keys(jest.requireActual<object>("cqrx"));

    expect(names).toContain("CommandBus");
    // An error may name the queue of background work.
    const offered = names.filter((name) => !name.endsWith("Error"));
    expect(
      offered.filter((name) => /queue|store|outbox|transport|nats|sourc|worker|cron/i.test(name)),
    ).toEqual([]);
  });

  it("S33 S60 mentions neither requests nor responses nor a document in its core", () => {
    const code = core.map((path) => read(path).replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "")).join("\n");

    expect(code).toMatch(/AbortSignal/);
    expect(code.match(/\b(Request|Response|document|window|IncomingMessage|ServerResponse)\b/g)).toBeNull();
  });

  it("S05 S08 changes nothing by being imported, and says so to bundlers", () => {
    const globals = (): string[] => Object.getOwnPropertyNames(globalThis).sort();
    const before = globals();
    jest.isolateModules(() => {
      const rxjs = jest.requireActual<typeof rxjsModule>("rxjs");
      const config = { ...rxjs.config };
      const fresh = jest.requireActual<typeof cqrxModule>("cqrx");

      expect(rxjs.config).toEqual(config);
      for (const bus of [fresh.defaultCommandBus, fresh.defaultQueryBus, fresh.defaultEventBus])
        expect(bus.describe()).toMatchObject({ handlers: [], middleware: [], inFlight: 0 });
    });

    expect(globals()).toEqual(before);
    expect(manifest.sideEffects).toBe(false);
  });
});
