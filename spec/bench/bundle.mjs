import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles the cqrx of a checkout as it would be shipped, and returns the path of the bundle.
 *
 * The bundle holds all of its entry points because they share one core. It lies below node_modules so that it finds the rxjs of this folder.
 */
export async function bundle(
  source = here("../../src"),
  name = "index",
  entries = ["./index.ts", "./middleware/index.ts", "./inspector/index.ts"],
) {
  const outfile = here(`node_modules/.cqrx/${name}.mjs`);
  await build({
    stdin: {
      // An older checkout has fewer of them.
      contents: entries
        .filter((entry) => existsSync(join(source, entry)))
        .map((entry) => `export * from "${entry}";`)
        .join("\n"),
      resolveDir: source,
    },
    outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    external: ["rxjs", "node:*", "@nats-io/*"],
  });
  return outfile;
}
