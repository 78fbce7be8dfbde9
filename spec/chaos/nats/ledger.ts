import { readFileSync } from "node:fs";
import { CONCURRENCY } from "./messages.js";

/** How a command ended for its caller. */
export type Outcome = "acknowledged" | "not sent" | "unknown";

export interface Sent {
  readonly kind: "stored" | "called";
  /** `undefined` while it is pending; any other error is its text. */
  outcome: Outcome | `failed: ${string}` | undefined;
}

/** A worker process that was killed or stopped, and how often. */
export type Faults = ReadonlyMap<number, number>;

export interface Effect {
  readonly attempt: number;
  readonly pid: number;
}

export interface Balance {
  readonly text: string;
  /** The promises that were broken. */
  readonly broken: readonly string[];
}

export interface Rules {
  /** Not even a message that was in flight may have two effects. */
  readonly once: boolean;
  /**
   * How many effects may have the attempt of another effect of their message: any number if the only server was killed,
   * because it forgets deliveries.
   */
  readonly uncounted: number;
}

/** Compares what was sent with what has happened. */
export function balance(
  sent: readonly Sent[],
  file: string,
  faults: Faults,
  dead: number,
  { once, uncounted }: Rules,
): Balance {
  const effects = effectsIn(file);
  const broken: string[] = [];
  const expect = (held: boolean, what: string): void => void (held || broken.push(what));
  const count = (outcome: Outcome): number => sent.filter((each) => each.outcome === outcome).length;

  let lost = 0;
  let phantom = 0;
  let lostEvents = 0;
  sent.forEach(({ kind, outcome }, index) => {
    const happened = effects.has(`${kind} ${index}`);
    if (outcome === "acknowledged" && !happened) lost++;
    if (outcome === "not sent" && happened) phantom++;
    // A call that its caller has given up is aborted, perhaps between its effect and its event.
    const needsEvent = kind === "stored" ? happened : outcome === "acknowledged";
    if (needsEvent && !effects.has(`event ${index}`)) lostEvents++;
    const wrong = outcome === undefined ? "pending" : outcome.startsWith("failed") ? outcome : undefined;
    expect(wrong === undefined, `${kind} ${index}: ${wrong}`);
  });
  for (const key of effects.keys()) {
    const [kind, index] = key.split(" ") as [string, string];
    const command = sent[Number(index)];
    if (command === undefined || (kind !== "event" && command.kind !== kind)) phantom++;
  }

  const doubled = { commands: 0, events: 0 };
  let repeated = 0;
  const doubledAt = new Map<number, number>();
  for (const [key, all] of effects) {
    if (all.length === 1) continue;
    const [kind] = key.split(" ");
    doubled[kind === "event" ? "events" : "commands"]++;
    expect(kind !== "called", `${key}: a call was handled ${all.length} times`);
    // The last attempt may be anywhere; each one before it was in flight in a worker that was killed or stopped.
    const ordered = [...all].sort((one, other) => one.attempt - other.attempt);
    ordered.slice(0, -1).forEach(({ attempt, pid }, at) => {
      if (attempt === ordered[at + 1]!.attempt) {
        repeated++;
        if (uncounted < Infinity) return;
      }
      expect(
        faults.has(pid),
        `${key}: doubled, and nothing was done to its first worker (${JSON.stringify(ordered)})`,
      );
      doubledAt.set(pid, (doubledAt.get(pid) ?? 0) + 1);
    });
  }
  for (const [pid, times] of doubledAt) {
    const inFlight = 2 * CONCURRENCY * (faults.get(pid) ?? 0);
    expect(
      times <= inFlight,
      `worker ${pid}: ${times} doubled effects, and at most ${inFlight} were in flight`,
    );
  }

  expect(
    repeated <= uncounted,
    `${repeated} effects have the attempt of another, and at most ${uncounted} may`,
  );
  expect(lost === 0, `${lost} acknowledged commands have no effect`);
  expect(phantom === 0, `${phantom} effects of commands that were not sent`);
  expect(lostEvents === 0, `${lostEvents} effects have no event`);
  expect(dead === 0, `${dead} dead letters`);
  if (once) expect(doubled.commands + doubled.events === 0, "doubled effects with an inbox");
  const text =
    `acknowledged ${count("acknowledged")}, not sent ${count("not sent")}, unknown ${count("unknown")}; ` +
    `lost ${lost + lostEvents}, phantom ${phantom}, doubled ${doubled.commands} commands and ${doubled.events} events` +
    (repeated > 0 ? `, ${repeated} of them as the same attempt` : "");
  return { text, broken };
}

/** Returns what has happened, by kind and index. */
export function effectsIn(file: string): Map<string, Effect[]> {
  const effects = new Map<string, Effect[]>();
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n")) {
    const [kind, index, attempt, pid] = line.split(" ");
    const key = `${kind} ${index}`;
    effects.set(key, [...(effects.get(key) ?? []), { attempt: Number(attempt), pid: Number(pid) }]);
  }
  return effects;
}
