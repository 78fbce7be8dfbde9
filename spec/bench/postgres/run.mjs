// Compares cqrx/postgres with bare statements and with its peers, on one server, in turn.
//   npm run bench:postgres                 on a server of its own, which waits for the disk
//   npm run bench:postgres -- --rounds 9 --only writes
//   DATABASE_URL=... npm run bench:postgres    on another, in an empty database
// The figures are not a test: the exit code is 0 for any of them.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "../bundle.mjs";
import { Comparison, interleaved } from "../interleaved.mjs";
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

/** Contenders in turn. Returns what each did a second, per round. */
const inTurn = ({ contenders }, counts) => interleaved(contenders, rounds, "a second", counts);
const comparison = new Comparison();

const wanted = (name) => name.includes(options.only);
if (wanted("writes")) {
  const suite = await writes(url, cqrx);
  const samples = await inTurn(suite, () => 300);
  for (const [one, other, atMost] of [
    ["append", "bare INSERT", 2],
    ["publish", "bare INSERT", 1.2],
    ["enqueue", "bare INSERT", 1.5],
    ["append", "emmett append", 1],
  ])
    comparison.add(`cost of ${one} x ${other}`, samples, [one, other], { atMost, invert: true });
  await suite.close();
}
if (wanted("work")) {
  const suite = await work(url, cqrx);
  // pg-boss polls twice a second.
  const samples = await inTurn(suite, (name) => (name === "pg-boss" ? 20 : 400));
  comparison.add("commands a second, of graphile-worker", samples, ["cqrx", "graphile-worker"], {
    atLeast: 0.8,
  });
  comparison.add("commands a second, of pg-boss", samples, ["cqrx", "pg-boss"], { atLeast: 1.5 });
  comparison.add("commands a second, of pg-boss with 50 per poll", samples, ["cqrx", "pg-boss, 50 per poll"]);
  comparison.add("commands a second with a statement each, of graphile-worker", samples, [
    "cqrx, in a transaction",
    "graphile-worker",
  ]);
  await suite.close();
}
if (wanted("reads")) {
  const suite = await reads(url, cqrx);
  const samples = await inTurn(suite, () => 5);
  comparison.add(
    "cost of load x bare select and JSON.parse, 5,000 events",
    samples,
    ["load of 5,000 events", "bare select of 5,000 rows"],
    { atMost: 3, invert: true },
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
  const samples = await inTurn({ contenders }, () => 300);
  comparison.add("events a second of a feed, of appends", samples, ["feed", "append"], { atLeast: 5 });
  comparison.add("the same with a statement each", samples, ["feed with a statement each", "append"]);
  for (const suite of [writing, reading]) await suite.close();
}
console.log(String(comparison));
process.exit(0);
