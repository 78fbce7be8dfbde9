// Kills and stops the processes that work, crashes the server, cuts and swallows connections, and checks the ledger.
// The seeds take turns: all faults with an inbox, faults of the workers only without one, and faults of the server only with an inbox.
import { installed } from "../../../examples/support/nats-server.js";
import { build, Chaos, removeFolder, WORKERS, type Mode } from "./chaos.js";
import { SingleServer } from "./network.js";
import { isOlderThan } from "./version.js";

/**
 * Before 2.10.16, a server that redelivers to a pull whose connection is gone delivers its latest message once more as
 * a first attempt.
 */
const repeats = isOlderThan("2.10.16");

const MODES: readonly Mode[] = [
  {
    title: "all faults, inbox",
    inbox: true,
    ackWaitMs: 2_000,
    leaseMs: 4_000,
    awayMs: 1_500,
    rules: { once: false, uncounted: Infinity },
    plan: { kill: 6, stop: 3, crash: 2, cut: 4, swallow: 3 },
  },
  {
    // A killed server forgets the last moments of what was delivered and acknowledged, which only an inbox makes good.
    title: "worker faults, no inbox",
    inbox: false,
    ackWaitMs: 4_000,
    leaseMs: 4_000,
    awayMs: 0,
    rules: { once: false, uncounted: repeats ? 16 : 0 },
    plan: { kill: 6, stop: 4, cut: 6 },
  },
  {
    title: "server faults, inbox",
    inbox: true,
    ackWaitMs: 2_000,
    leaseMs: 10_000,
    awayMs: 2_500,
    rules: { once: true, uncounted: 0 },
    plan: { crash: 4, cut: 6, swallow: 5 },
  },
];

let built = false;

/** Runs one seed; all of its choices come from the seed. */
export async function run(seed: number): Promise<string> {
  if (!installed) throw new Error("Install it: apt-get install -y --no-install-recommends nats-server");
  if (!built) build();
  built = true;
  const mode = MODES[(seed - 1) % MODES.length]!;
  const network = await SingleServer.start(WORKERS + 1);
  try {
    return `${mode.title}: ${await new Chaos(seed, mode, network).run()}`;
  } finally {
    await network.close();
  }
}

export const end = removeFolder;
