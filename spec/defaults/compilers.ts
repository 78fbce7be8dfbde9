import { transformSync as swc } from "@swc/core";
import { transformSync as esbuild } from "esbuild";
import ts from "typescript";

/** Compiles TypeScript with decorators to a CommonJS module. */
export type Compiler = (code: string) => string;

const withTsc =
  (options: ts.CompilerOptions): Compiler =>
  (code) =>
    ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, ...options },
    }).outputText;

const withEsbuild =
  (experimentalDecorators: boolean): Compiler =>
  (code) =>
    esbuild(code, {
      loader: "ts",
      format: "cjs",
      target: "es2022",
      tsconfigRaw: { compilerOptions: { experimentalDecorators } },
    }).code;

const withSwc =
  (transform: NonNullable<Parameters<typeof swc>[1]>["jsc"] & object): Compiler =>
  (code) =>
    swc(code, {
      swcrc: false,
      configFile: false,
      module: { type: "commonjs" },
      jsc: { parser: { syntax: "typescript", decorators: true }, target: "es2022", ...transform },
    }).code;

/** Compilers of the decorators of TC39. */
export const standard: readonly (readonly [string, Compiler])[] = [
  ["tsc", withTsc({})],
  ["esbuild", withEsbuild(false)],
  ["SWC", withSwc({ transform: { decoratorVersion: "2022-03" } })],
];

/** Compilers of the decorators that Nest, TypeORM and others use; as Nest sets them, with metadata. */
export const legacy: readonly (readonly [string, Compiler])[] = [
  ["tsc", withTsc({ experimentalDecorators: true, emitDecoratorMetadata: true })],
  ["esbuild", withEsbuild(true)],
  ["SWC", withSwc({ transform: { legacyDecorator: true, decoratorMetadata: true } })],
];

/** Compiles classes as TypeScript did for ES5. */
export const asFunctions = withTsc({
  experimentalDecorators: true,
  target: ts.ScriptTarget.ES5,
  ignoreDeprecations: "6.0",
});

/** Runs a module and returns what it exports. */
export function run<Exports>(code: string, require: (name: string) => unknown): Exports {
  const module = { exports: {} };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- compiled here, from the text of a spec
  const execute = new Function("module", "exports", "require", code) as (...args: unknown[]) => void;
  execute(module, module.exports, require);
  return module.exports as Exports;
}
