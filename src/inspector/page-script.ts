/** The script of the page, and the SHA-256 of its text in base64 for the content security policy. */
export interface PageScript {
  readonly text: string;
  readonly hash: string;
}

/** The modules of Node that bundling uses. */
interface Builtins {
  getBuiltinModule(id: "node:child_process"): {
    execFileSync(file: string, args: readonly string[], options: { readonly encoding: "utf8" }): string;
  };
  getBuiltinModule(id: "node:crypto"): {
    createHash(name: "sha256"): { update(text: string): { digest(encoding: "base64"): string } };
  };
}

let script: PageScript | undefined;

/**
 * Returns the script of the page.
 *
 * The build replaces this module by one that holds the text. From the sources, as in the specs and `npm start`,
 * the script is bundled when it is first needed.
 */
export function pageScript(): PageScript {
  return (script ??= bundled());
}

function bundled(): PageScript {
  const node = process as unknown as Builtins;
  const text = node
    .getBuiltinModule("node:child_process")
    .execFileSync(process.execPath, [".config/page.mjs"], { encoding: "utf8" });
  const hash = node.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("base64");
  return { text, hash };
}
