import type { DeadLetters } from "cqrx/transport";
import type { Outcome } from "./gateway.js";
import { Ledger } from "./process.js";

/** What has become of the orders. */
export interface Reckoning {
  readonly lines: readonly string[];
  /** Orders that were taken, and are neither on their way nor refused. */
  readonly open: number;
  /** What must not be: orders that were charged and never placed, and charges twice without a second attempt. */
  readonly wrong: number;
}

/** Compares what customers were told with what was done to the world, and with the dead letters. */
export async function reckon(
  orders: ReadonlyMap<string, Outcome>,
  folder: string,
  deadLetters: DeadLetters,
): Promise<Reckoning> {
  const charges = new Ledger(folder, "charges").read();
  const parcels = new Ledger(folder, "parcels").read();
  const dead = await deadLetters.list();
  const refused = new Set(dead.map(({ body }) => orderIn(body)));
  const ids = [...orders.keys()];
  const told = (outcome: Outcome): string[] => ids.filter((id) => orders.get(id) === outcome);
  const done = (id: string): boolean => (charges.has(id) && parcels.has(id)) || refused.has(id);

  const open = told("placed").filter((id) => !done(id)).length;
  const phantom = told("not sent").filter(
    (id) => charges.has(id) || parcels.has(id) || refused.has(id),
  ).length;
  const twice = [...charges.values()].filter((attempts) => attempts.length > 1);
  const parcelsTwice = [...parcels.values()].filter((attempts) => attempts.length > 1).length;
  const unknown = told("unknown");
  const found = unknown.filter(done).length;
  const row = (count: number, text: string): string => `${String(count).padStart(6)}  ${text}`;
  return {
    open,
    wrong: phantom + ids.filter((id) => refused.has(id) && charges.has(id)).length,
    lines: [
      "What the customers were told:",
      row(told("placed").length, "placed"),
      row(told("not sent").length, "not sent, so that they may order again"),
      row(
        unknown.length,
        unknown.length === 0 ? "unknown" : `unknown, of which ${found} are found by their id`,
      ),
      "What happened:",
      row(ids.filter((id) => charges.has(id) && parcels.has(id)).length, "charged, and the parcel sent"),
      row(refused.size, `refused, in the dead letters: “${dead[0]?.detail ?? ""}”`),
      row(open, "placed, and neither sent nor refused"),
      row(phantom, "not placed, and charged"),
      row(twice.length, twice.length === 0 ? "charged twice" : `charged twice, ${attemptsOf(twice)}`),
      row(parcelsTwice, "parcels sent twice"),
    ],
  };
}

function orderIn(body: Uint8Array): string {
  const { payload } = JSON.parse(new TextDecoder().decode(body)) as { payload: { orderId: string } };
  return payload.orderId;
}

/** A second charge is that of a later attempt: the one before was in flight in the worker that was killed. */
function attemptsOf(twice: readonly (readonly number[])[]): string {
  return `in attempts ${[...new Set(twice.map((attempts) => attempts.join(" and ")))].join(", ")}: in flight when a worker was killed`;
}
