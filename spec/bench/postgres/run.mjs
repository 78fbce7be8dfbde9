// Compares cqrx/postgres with bare statements and with its peers, on one server, in turn.
//   npm run bench:postgres                 on a server of its own, which waits for the disk
//   npm run bench:postgres -- --rounds 9 --only writes
//   DATABASE_URL=... npm run bench:postgres    on another, in an empty database
// The figures are not a test: the exit code is 0 for any of them.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "../bundle.mjs";
import { median } from "../measure.mjs";
import { reads } from "./reads.mjs";
import { startServer } from "./server.mjs";
import { work } from "./work.mjs";
import { writes } from "./writes.mjs";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "15" }, only: { type: "string", default: "" } },
});
const rounds = Number(options.rounds);
const source = fileURLToPath(new URL("../../../src", import.meta.url));
const cqrx = await import(await bundle(source, "postgres", ["./index.ts", "./postgres/index.ts"]));
const url = process.env.DATABASE_URL ?? (await startServer());

/** Contenders in turn, A B C A B C, after one round that is not counted. Returns what each did a second, per round. */
async function interleaved({ contenders }, counts) {
  const samples = {};
  for (let round = 0; round <= rounds; round++)
    for (const [name, run] of Object.entries(contenders)) {
      const perSecond = await run(counts(name));
      console.error(`round ${round} of ${rounds}: ${name}, ${perSecond.toFixed(0)} a second`);
      if (round > 0) (samples[name] ??= []).push(perSecond);
    }
  return samples;
}

const table = [];
/** The cost of one against the other: the median of the ratios of each round, because a disturbance meets both. */
function compare(what, samples, one, other, bar, invert = false) {
  const ratios = samples[one].map((rate, round) =>
    invert ? rate / samples[other][round] : samples[other][round] / rate,
  );
  const ratio = median(ratios);
  const met = bar === undefined ? "" : (invert ? ratio >= bar : ratio <= bar) ? "yes" : "no";
  const figures = [median(samples[one]), median(samples[other])].map((rate) =>
    rate.toFixed(rate < 100 ? 1 : 0),
  );
  const text = bar === undefined ? "" : `${invert ? "≥" : "≤"} ${bar}`;
  table.push(`| ${what} | ${figures.join(" | ")} | ${ratio.toFixed(2)} | ${text} | ${met} |`);
}

const wanted = (name) => name.includes(options.only);
if (wanted("writes")) {
  const suite = await writes(url, cqrx);
  const samples = await interleaved(suite, () => 300);
  compare("cost of append x bare INSERT", samples, "append", "bare INSERT", 2);
  compare("cost of publish x bare INSERT", samples, "publish", "bare INSERT", 1.2);
  compare("cost of enqueue x bare INSERT", samples, "enqueue", "bare INSERT", 1.5);
  compare("cost of append x emmett-postgresql", samples, "append", "emmett append", 1);
  await suite.close();
}
if (wanted("work")) {
  const suite = await work(url, cqrx);
  // pg-boss polls twice a second.
  const samples = await interleaved(suite, (name) => (name === "pg-boss" ? 20 : 400));
  compare("commands a second, of graphile-worker", samples, "cqrx", "graphile-worker", 0.8, true);
  compare("commands a second, of pg-boss", samples, "cqrx", "pg-boss", 1.5, true);
  compare(
    "commands a second, of pg-boss with 50 per poll",
    samples,
    "cqrx",
    "pg-boss, 50 per poll",
    undefined,
    true,
  );
  compare(
    "commands a second with a statement each, of graphile-worker",
    samples,
    "cqrx, in a transaction",
    "graphile-worker",
    undefined,
    true,
  );
  await suite.close();
}
if (wanted("reads")) {
  const suite = await reads(url, cqrx);
  const samples = await interleaved(suite, () => 5);
  compare(
    "cost of load x bare select and JSON.parse, 5,000 events",
    samples,
    "load of 5,000 events",
    "bare select of 5,000 rows",
    3,
  );
  await suite.close();
}
if (wanted("feed")) {
  const [writing, reading] = [await writes(url, cqrx), await reads(url, cqrx)];
  const contenders = {
    append: writing.contenders.append,
    feed: () => reading.feed(false),
    "feed with a statement each": () => reading.feed(true),
  };
  const samples = await interleaved({ contenders }, () => 300);
  compare("events a second of a feed, of appends", samples, "feed", "append", 5, true);
  compare("the same with a statement each", samples, "feed with a statement each", "append", undefined, true);
  for (const suite of [writing, reading]) await suite.close();
}
console.log(
  [
    "| | cqrx, a second | other, a second | ratio | bar | met |",
    "| --- | --- | --- | --- | --- | --- |",
    ...table,
  ].join("\n"),
);
process.exit(0);
