import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";

const spec = join(__dirname, "..");
const files = readdirSync(spec, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".spec.ts") && !/node_modules|^docs/.test(file),
);

/** The ids that titles of tests begin with. */
const ids = new Set(
  files.flatMap((file) =>
    [
      ...readFileSync(join(spec, file), "utf8").matchAll(
        /["'`]((?:[LXS]\d\d|C\d{1,2})|\d{1,3}) (?=[a-zA-Z$%])/g,
      ),
    ].map(([, id]) => id!),
  ),
);

/** The table in the README: what is counted, and how its ids begin. */
const rows = [
  ["Lilya's own tests, L01 to L32", /^L/],
  ["its edge cases, X01 to X27", /^X/],
  ["un-awaited dispatch, C1 to C10", /^C/],
  ["promises of the page it all began with, S..", /^S/],
  ["failure cases, by number", /^(\d{1,2}|1[0-7]\d|18[0-3])$/],
] as const;

describe("the table of conformance in the README", () => {
  it.each(rows)("counts %s", (what, pattern) => {
    const count = [...ids].filter((id) => pattern.test(id)).length;
    expect(readFileSync(join(spec, "../README.md"), "utf8")).toContain(`| ${what} | ${count} |`);
  });
});
