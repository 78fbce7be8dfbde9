import type { HelloFrame, InspectedMessage, TypeFigures } from "../../../src/inspector/protocol.js";
import { type Entry, makeEntry } from "../../../src/inspector/page/model/entry.js";

/** Time of the first message of these specs: a whole second. */
export const START = 1_795_700_000_000;

/** Makes the record of a message that was accepted `at` milliseconds after the start. */
export function message(order: number, at: number, more: Partial<InspectedMessage> = {}): InspectedMessage {
  return {
    order,
    kind: "command",
    name: "PlaceOrder",
    bus: "commands",
    id: `id-${order}`,
    correlationId: "c-1",
    time: START + at,
    state: "fulfilled",
    durationMs: 5,
    attempts: 1,
    payload: `{"orderId":"o-${order}"}`,
    ...more,
  };
}

export const open = { state: "open", durationMs: undefined } as unknown as Partial<InspectedMessage>;

export const entry = (order: number, at: number, more: Partial<InspectedMessage> = {}): Entry =>
  makeEntry(message(order, at, more), 0);

export function figures(more: Partial<TypeFigures> = {}): TypeFigures {
  return {
    kind: "command",
    name: "PlaceOrder",
    bus: "commands",
    accepted: 0,
    fulfilled: 0,
    rejected: 0,
    cancelled: 0,
    inFlight: 0,
    kept: 0,
    rate: 0,
    series: [],
    ...more,
  };
}

export const NO_COUNTS = {
  accepted: 0,
  fulfilled: 0,
  rejected: 0,
  cancelled: 0,
  kept: 0,
  inFlight: 0,
  bytes: 0,
  clients: 1,
};

export function hello(more: Partial<HelloFrame> = {}): HelloFrame {
  return {
    type: "hello",
    protocol: 1,
    run: "run-1",
    seq: 1,
    time: START,
    since: START,
    oldest: 1,
    history: 0,
    title: "shop (pid 1)",
    limits: { capacity: 10, maxBytes: 1000, maxPerSecond: 500 },
    counts: NO_COUNTS,
    types: [],
    parts: [],
    faults: [],
    refusals: [],
    ...more,
  };
}
