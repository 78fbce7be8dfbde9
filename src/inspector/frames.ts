import { wallNow } from "./clock.js";
import type {
  ChangesFrame,
  HelloFrame,
  HistoryFrame,
  InspectedMessage,
  InspectedSettlement,
} from "./protocol.js";
import type { Recorder } from "./recorder.js";
import type { KeptMessage } from "./ring.js";

const HISTORY = 250;
const SERIES_MS = 60_000;
/** How long the rate of a type changes after its last message. */
const DECAY_MS = 12_000;

/** The name of a recorder in frames, and of the application in the title. */
export interface Run {
  readonly id: string;
  readonly title: string;
}

export function helloFrame(recorder: Recorder, run: Run, clients: number): HelloFrame {
  recorder.describeParts();
  const { settings, ring, version, sinceMs, parts, faults, refusals } = recorder;
  const time = wallNow();
  const { capacity, maxBytes, maxPerSecond } = settings;
  return {
    type: "hello",
    protocol: 1,
    run: run.id,
    seq: version,
    time,
    since: sinceMs,
    oldest: ring.oldest(recorder.kept + 1),
    history: ring.size,
    title: run.title,
    limits: { capacity, maxBytes, maxPerSecond },
    counts: recorder.counts(clients),
    types: recorder.figures.map((figures) => figures.at(time, time - SERIES_MS, sinceMs)),
    parts,
    faults: [...faults],
    refusals: [...refusals],
  };
}

/**
 * Divides records into frames. Reads each part of them when its turn comes, so that a slow reader costs no copy of all.
 */
export function* historyFrames(
  records: readonly KeptMessage[],
  run: Run,
  seq: number,
): Generator<HistoryFrame> {
  for (let index = 0; index < records.length; index += HISTORY) {
    const messages = records.slice(index, index + HISTORY).map((record) => record.toPlain());
    yield { type: "history", run: run.id, seq, messages };
  }
}

/**
 * Returns the changes since a version.
 *
 * @param sinceMs - the time of the frame before, from which on the series is sent
 */
export function changesFrame(
  recorder: Recorder,
  run: Run,
  clients: number,
  since: number,
  sinceMs: number,
): ChangesFrame {
  const time = wallNow();
  const accepted: InspectedMessage[] = [];
  const settled: InspectedSettlement[] = [];
  for (const record of recorder.ring.toArray()) {
    if (record.acceptedAt > since) accepted.push(record.toPlain());
    else if (record.settledAt > since)
      settled.push({ order: record.order, ...record.end() } as InspectedSettlement);
  }
  const newer = ({ order }: { readonly order: number }): boolean => order > since;
  const faults = recorder.faults.filter(newer);
  const refusals = recorder.refusals.filter(newer);
  // In each second once also those types whose rate falls because nothing comes.
  const newSecond = Math.floor(time / 1_000) > Math.floor(sinceMs / 1_000);
  const types = recorder.figures
    .filter(({ changed, activeMs }) => changed > since || (newSecond && time - activeMs < DECAY_MS))
    .map((figures) => figures.at(time, sinceMs - 1_000, recorder.sinceMs));
  return {
    type: "changes",
    run: run.id,
    seq: recorder.version,
    time,
    oldest: recorder.ring.oldest(recorder.kept + 1),
    counts: recorder.counts(clients),
    ...(accepted.length > 0 && { accepted }),
    ...(settled.length > 0 && { settled }),
    ...(types.length > 0 && { types }),
    ...(recorder.partsChanged > since && { parts: recorder.parts }),
    ...(faults.length > 0 && { faults }),
    ...(refusals.length > 0 && { refusals }),
  };
}
