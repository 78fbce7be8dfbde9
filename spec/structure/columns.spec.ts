import { expect, it } from "@jest/globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const src = join(__dirname, "../../src");

it("no line of src has more than 120 columns", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const long = files.flatMap((file) =>
    readFileSync(join(src, file), "utf8")
      .split("\n")
      .flatMap((line, index) => (line.length > 120 ? [`src/${file}:${index + 1}`] : [])),
  );
  expect(long).toEqual([]);
});
