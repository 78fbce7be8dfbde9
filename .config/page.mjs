// Bundles the script of the inspector's page: src/inspector/page/main.ts and all that it imports, in one text. Run as a program, it prints the text.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { minifySync } from "@swc/core";
import { buildSync } from "esbuild";

/** Long names of properties that the page alone has, and no object of the browser, of the protocol or of a style. */
const OWN_NAMES =
  "arrange byOrder calm conversation deselect figures goLive hasMore holding invalidate isCompact isLight lane laneOf lanes lastFailure liveSpan " +
  "longestMs lookAt onlyThisConversation row setFigures setFilter setSpan setTab settle shown toggleHelp toggleLive toggleState zoomToConversation";

/** Returns the script: a function of its own, because a classic script shares its names with the document. */
export function pageText() {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL("../src/inspector/page/main.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    mangleProps: new RegExp(`^(${OWN_NAMES.replaceAll(" ", "|")})$`),
  });
  // Not minified by esbuild, because the page is limited to 20 kB gzipped, and the names that swc chooses compress better by 3 %.
  const { code } = minifySync(outputFiles[0].text, {
    module: true,
    compress: {
      passes: 3,
      ecma: 2022,
      toplevel: true,
      sequences: 0,
      unsafe: true,
      inline: 0,
      reduce_funcs: false,
      unsafe_arrows: true,
      unsafe_methods: true,
    },
    mangle: { toplevel: true },
    ecma: 2022,
  });
  // The text stands in a script element, which "</script" would end.
  return `(()=>{${code.replaceAll(/`\n[^`]*\{[^`]*`/g, folded).replaceAll("</script", "<\\/script")}})()`;
}

/** Removes white space without a meaning from a text of style: it begins with a line break and has braces. */
function folded(style) {
  return style.replaceAll(/\s*([{},;!/])\s*|(:) |\n/g, "$1$2").replaceAll(";}", "}");
}

/** Returns the text of the module that takes the place of src/inspector/page-script.ts in the package. */
export function pageModule(format) {
  const text = pageText();
  const hash = createHash("sha256").update(text).digest("base64");
  const script = `const script = { text: ${JSON.stringify(text)}, hash: ${JSON.stringify(hash)} };\n`;
  return format === "esm"
    ? `${script}export function pageScript() {\n  return script;\n}\n`
    : `"use strict";\n${script}exports.pageScript = function () {\n  return script;\n};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(pageText());
