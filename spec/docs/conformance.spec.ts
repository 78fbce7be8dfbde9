import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";

const spec = join(__dirname, "..");
const files = readdirSync(spec, { recursive: true, encoding: "utf8" }).filter(
  (file) => /(\.spec|-cases)\.ts$/.test(file) && !/node_modules|^docs/.test(file),
);

/** Returns the ids at the start of the titles of `it` and `describe`, called directly or through `each`. */
const ids = new Set(
  files.flatMap((file) =>
    [
      ...readFileSync(join(spec, file), "utf8").matchAll(
        /(?:\bit|\bdescribe|\))\(\s*["'`]((?:(?:[LXS]\d\d|C\d{1,2}|\d{1,3}) )+)/g,
      ),
    ].flatMap(([, all]) => all!.trim().split(" ")),
  ),
);

const upTo = (last: number, id: (n: number) => string): string[] =>
  Array.from({ length: last }, (_, n) => id(n + 1));
const padded = (letter: string) => (n: number) => `${letter}${String(n).padStart(2, "0")}`;

/** The ids that need a test: of the cases all that are required, except 178, which is about transports. */
const REQUIRED: readonly [string, readonly string[]][] = [
  ["Lilya's own tests", upTo(32, padded("L"))],
  ["its edge cases", upTo(27, padded("X"))],
  ["un-awaited dispatch", upTo(10, (n) => `C${n}`)],
  ["the promises", upTo(73, padded("S"))],
  ["the pipeline and its streams", ["1", "2", "3", "4", "6", "9", "10"]],
  ["handlers", ["14", "15", "16", "17", "18", "20", "22"]],
  ["observers", ["28", "29", "30", "32", "33", "35", "36"]],
  ["cancellation and time limits", ["39", "40", "41", "42", "44", "45", "47", "48"]],
  ["shutdown", ["50", "51", "54", "55", "57", "58"]],
  ["re-entrancy and order", ["63", "64", "65", "67", "72"]],
  ["concurrency and retries", ["73", "74", "75", "78", "81"]],
  ["caches", ["85", "86", "90"]],
  ["live queries", ["94", "95", "96", "97", "98"]],
  [
    "transports",
    [
      "56",
      "119",
      "120",
      ...upTo(14, (n) => String(120 + n)),
      "135",
      "137",
      "139",
      "140",
      "141",
      "145",
      "146",
      "149",
    ],
  ],
  [
    "envelopes and bad input",
    ["102", "103", "104", "105", "107", "108", "109", "111", "112", "113", "114", "116"],
  ],
  [
    "the inspector",
    [
      "37",
      "150",
      "151",
      "152",
      "153",
      "155",
      "156",
      "158",
      "159",
      "160",
      "161",
      "162",
      "163",
      "164",
      "166",
      "167",
      "174",
    ],
  ],
  ["leaks", ["169", "170", "171", "172", "173", "176"]],
  ["the end of the process", ["177", "179", "180"]],
];

describe("the specs", () => {
  it.each(REQUIRED)("show everything about %s", (_, required) => {
    expect(required.filter((id) => !ids.has(id))).toEqual([]);
  });
});
