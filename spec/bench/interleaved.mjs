import { median } from "./measure.mjs";

/** Contenders in turn, A B C A B C, after one round that is not counted. Returns what each measured, per round. */
export async function interleaved(contenders, rounds, unit, counts = () => undefined) {
  const samples = {};
  for (let round = 0; round <= rounds; round++)
    for (const [name, run] of Object.entries(contenders)) {
      const figure = await run(counts(name));
      console.error(`round ${round} of ${rounds}: ${name}, ${figure.toFixed(0)} ${unit}`);
      if (round > 0) (samples[name] ??= []).push(figure);
    }
  return samples;
}

/** A table of two contenders a row: their medians, the median of the ratios of each round, and the bar. */
export class Comparison {
  #rows = [];

  /** A figure of the first by the second, or of the second by the first if `invert`, because a disturbance meets both. */
  add(what, samples, [one, other], { atMost, atLeast, invert = false } = {}) {
    const ratio = median(
      samples[one].map((figure, round) =>
        invert ? samples[other][round] / figure : figure / samples[other][round],
      ),
    );
    const figures = [one, other].map((name) => {
      const figure = median(samples[name]);
      return figure.toFixed(figure < 100 ? 1 : 0);
    });
    const bar = atMost !== undefined ? `≤ ${atMost}` : atLeast !== undefined ? `≥ ${atLeast}` : "";
    const met = bar === "" ? "" : ratio <= (atMost ?? Infinity) && ratio >= (atLeast ?? 0) ? "yes" : "no";
    this.#rows.push(`| ${[what, ...figures, ratio.toFixed(2), bar, met].join(" | ")} |`);
  }

  toString() {
    return [
      "| | cqrx | other | ratio | bar | met |",
      "| --- | --- | --- | --- | --- | --- |",
      ...this.#rows,
    ].join("\n");
  }
}
