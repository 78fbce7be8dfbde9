import { median } from "./measure.mjs";

const columns = ["scenario", "contender", "median", "best", "ratio", "of bests", "bar", "met"];

/**
 * One row per contender. The ratio is the scenario's subject to that contender, median to median over all rounds, and a bar is
 * held against; the ratio of the best batches approaches that of an idle machine.
 */
export function markdown(results) {
  const rows = [columns, columns.map(() => "---"), ...results.flatMap(rowsOf)];
  const failures = results.flatMap(({ title, failures }) =>
    Object.entries(failures).map(([contender, reason]) => `Failed in "${title}": ${contender}: ${reason}`),
  );
  const bars = results.flatMap(rowsOf).filter((row) => row.at(-1) !== "");
  const met = bars.filter((row) => row.at(-1).startsWith("yes"));
  return [
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    `${met.length} of ${bars.length} bars met.`,
    ...failures,
  ].join("\n");
}

function rowsOf({ title, subject, unit = "ns", bars = {}, contenders, samples }) {
  const medians = mapValues(samples, (values) => median(values.map((sample) => sample.median)));
  const bests = mapValues(samples, (values) => Math.min(...values.map((sample) => sample.best)));
  return Object.keys(contenders).map((contender, index) => {
    const values = samples[contender];
    const bar = bars[contender];
    const measured = contender === subject ? medians[subject] : medians[subject] / medians[contender];
    const failed = values.length === 0;
    const ratio = (of) => (failed || contender === subject ? "" : (of[subject] / of[contender]).toFixed(2));
    return [
      index === 0 ? title : "",
      contender === subject ? `**${contender}**` : contender,
      failed ? "failed" : `${figure(medians[contender])} ${unit}`,
      failed ? "" : figure(bests[contender]),
      ratio(medians),
      ratio(bests),
      bar === undefined ? "" : barText(bar, contender === subject ? ` ${unit}` : " ×"),
      bar === undefined ? "" : verdict(measured, bar),
    ];
  });
}

function barText({ atMost, aim }, suffix) {
  return `≤ ${atMost}${suffix}${aim === undefined ? "" : `, aim ${aim}`}`;
}

function verdict(measured, { atMost, aim }) {
  if (Number.isNaN(measured)) return "not measured";
  if (measured > atMost) return "no";
  return aim !== undefined && measured > aim ? "yes, aim not" : "yes";
}

function figure(value) {
  return value.toFixed(Math.abs(value) < 10 ? 1 : 0);
}

function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
