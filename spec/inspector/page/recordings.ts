import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { InspectedMessage, Recording, TypeFigures } from "../../../src/inspector/protocol.js";
import { figures } from "./make.js";

export const busy = JSON.parse(readFileSync(join(__dirname, "../recording.json"), "utf8")) as Recording;

/** The shop before its first customer: types are registered, nothing was sent. */
export const idle: Recording = {
  hello: {
    ...busy.hello,
    counts: {
      accepted: 0,
      fulfilled: 0,
      rejected: 0,
      cancelled: 0,
      kept: 0,
      inFlight: 0,
      bytes: 0,
      clients: 1,
    },
    types: busy.hello.types.map(({ kind, name, bus }) => figures({ kind, name, bus })),
    faults: [],
    refusals: [],
  },
  messages: [],
};

const COPIES = 8;
const ALL = 50;

/** The shop at fifty times the traffic: each message is there eight times, a little later, and the counts are those of all. */
export const flooded: Recording = (() => {
  const messages = busy.messages
    .flatMap((message, index) =>
      Array.from({ length: COPIES }, (_, copy): InspectedMessage => {
        // A fixed pattern instead of chance, because the picture must be the same each time.
        const later = copy === 0 ? 0 : ((index * 37 + copy * 101) % 997) - 500;
        const suffix = copy === 0 ? "" : `-${copy}`;
        const { causationId } = message;
        return {
          ...message,
          id: message.id + suffix,
          correlationId: message.correlationId + suffix,
          ...(causationId === undefined ? {} : { causationId: causationId + suffix }),
          time: message.time + later,
          ...(copy > 0 && message.state === "open" ? { state: "fulfilled", durationMs: 10 } : {}),
        };
      }),
    )
    .sort((a, b) => a.time - b.time)
    .map((message, index) => ({ ...message, order: index + 1 }));
  const times = <T extends TypeFigures>(type: T): T => ({
    ...type,
    accepted: type.accepted * ALL,
    rejected: type.rejected * COPIES,
    rate: type.rate * ALL,
    series: type.series.map(([second, accepted, fulfilled, rejected, cancelled]) => [
      second,
      accepted * ALL,
      fulfilled * ALL,
      rejected * COPIES,
      cancelled * ALL,
    ]),
  });
  const counts = { ...busy.hello.counts, accepted: busy.hello.counts.accepted * ALL, kept: messages.length };
  return { hello: { ...busy.hello, counts, types: busy.hello.types.map(times) }, messages };
})();
