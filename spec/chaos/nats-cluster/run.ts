// The chaos of ../nats on a cluster of three servers, whose leader is killed.
import { versionText } from "../../../examples/support/nats-server.js";
import { build, Chaos, removeFolder, type Mode } from "../nats/chaos.js";
import { Cluster } from "../nats/network.js";
import { isOlderThan } from "../nats/version.js";

const MODE: Mode = {
  title: "3 servers, inbox",
  inbox: true,
  ackWaitMs: 2_000,
  leaseMs: 8_000,
  awayMs: 3_000,
  rules: { once: false, uncounted: 0 },
  plan: { kill: 3, stop: 2, crash: 2 },
};

if (isOlderThan("2.10.27"))
  console.log(
    `${versionText} may lose what it has acknowledged when a leader is killed; NATS_SERVER names another server.`,
  );

/** Runs one seed; all of its choices come from the seed. */
export async function run(seed: number): Promise<string> {
  build();
  const network = await Cluster.start();
  try {
    return `${MODE.title}: ${await new Chaos(seed, MODE, network).run()}`;
  } finally {
    await network.close();
  }
}

export const end = removeFolder;
