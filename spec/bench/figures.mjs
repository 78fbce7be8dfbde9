/** How much more than before a contender that uses cqrx may cost. */
const TOLERANCE = 1.02;

/** Returns the table of the counts, and the verdicts of the bars. */
export function figuresText({ countedWith, scenarios }) {
  const rows = [];
  const bars = [];
  for (const scenario of scenarios) {
    const { title, subject, unit, figures } = scenario;
    const own = figures[subject]?.perMessage;
    Object.entries(figures).forEach(([contender, { perMessage }], index) => {
      rows.push([
        index === 0 ? title : "",
        contender === subject ? `**${contender}**` : contender,
        `${perMessage.toLocaleString("en")}${unit === "bytes" ? " bytes" : ""}`,
        contender === subject || own === undefined ? "" : (own / perMessage).toFixed(2),
      ]);
    });
    bars.push(...barsOf(scenario));
  }
  const failed = bars.filter(({ met }) => !met);
  const text = [
    `Instructions per message, ${countedWith}. The ratio is that of the marked contender to the one in the line.`,
    "",
    ...table(["scenario", "contender", "per message", "ratio"], rows),
    "",
    ...table(
      ["bar", "at most", "counted", "met"],
      bars.map(({ title, atMost, value, met }) => [title, atMost, value, met ? "yes" : "NO"]),
    ),
  ];
  return { text: text.join("\n"), failed: failed.length > 0 };
}

function barsOf({ title, subject, unit, bars = {}, figures }) {
  const own = figures[subject]?.perMessage;
  return Object.entries(bars).map(([other, atMost]) => {
    const theirs = figures[other]?.perMessage;
    const bytes = unit === "bytes";
    const value = bytes ? own - theirs : own / theirs;
    return {
      title: `${title}: ${subject} ${bytes ? "above" : "to"} ${other}`,
      atMost: bytes ? `${atMost} bytes` : `${atMost.toFixed(2)} x`,
      value: bytes ? `${value} bytes` : `${value.toFixed(3)} x`,
      // A figure that could not be counted does not meet its bar.
      met: value <= atMost,
    };
  });
}

/** The ratio of each figure to that of an earlier run. */
export function compareText(before, now) {
  if (before.countedWith !== now.countedWith)
    return {
      text: `Not compared: the earlier figures were counted with ${before.countedWith}.`,
      failed: true,
    };
  const failed = [];
  const rows = now.scenarios.flatMap(({ file, title, figures }) => {
    const earlier = before.scenarios.find((scenario) => scenario.file === file)?.figures ?? {};
    return Object.entries(figures).map(([contender, { perMessage, cqrx }]) => {
      const was = earlier[contender]?.perMessage;
      const ratio = perMessage / was;
      const above = cqrx && ratio > TOLERANCE;
      if (above) failed.push(`${title}: ${contender}`);
      return [
        title,
        contender,
        was ?? "not counted",
        perMessage,
        was === undefined ? "" : ratio.toFixed(3),
        above ? "ABOVE" : "",
      ];
    });
  });
  const text = [
    ...table(["scenario", "contender", "before", "now", "ratio", ""], rows),
    "",
    failed.length === 0
      ? "Nothing costs over 2 % more than before."
      : `Over 2 % more than before: ${failed.join("; ")}.`,
  ];
  return { text: text.join("\n"), failed: failed.length > 0 };
}

function table(columns, rows) {
  return [columns, columns.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
}
