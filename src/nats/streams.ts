import { DiscardPolicy, RetentionPolicy, StorageType, type JetStreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { NatsSettings } from "./options.js";

/** The names of the streams of a prefix. */
export const streamsOf = (prefix: string): { command: string; event: string; dead: string } => ({
  command: `${prefix}_commands`,
  event: `${prefix}_events`,
  dead: `${prefix}_dead`,
});

/** Makes the streams that are missing. Those that exist keep the settings that an operator may have changed. */
export async function makeStreams(jsm: JetStreamManager, settings: NatsSettings): Promise<void> {
  const { prefix, replicas, storage, dedupeWindowMs, maxAgeMs } = settings;
  const names = streamsOf(prefix);
  const common = {
    storage: storage === "file" ? StorageType.File : StorageType.Memory,
    num_replicas: replicas,
    duplicate_window: nanos(dedupeWindowMs),
    discard: DiscardPolicy.New,
  };
  const kept = {
    ...common,
    retention: RetentionPolicy.Limits,
    max_age: nanos(maxAgeMs),
    discard: DiscardPolicy.Old,
  };
  // An age below the window of ids is refused by the server.
  if (maxAgeMs > 0 && maxAgeMs < dedupeWindowMs) kept.duplicate_window = nanos(maxAgeMs);
  const configs = [
    { ...common, name: names.command, subjects: [`${prefix}.s.c.>`], retention: RetentionPolicy.Workqueue },
    { ...kept, name: names.event, subjects: [`${prefix}.s.e.>`] },
    { ...kept, name: names.dead, subjects: [`${prefix}.d.>`] },
  ];
  for (const config of configs) {
    try {
      await jsm.streams.info(config.name);
    } catch {
      await jsm.streams.add(config).catch(async (error: unknown) => {
        // Another process may have made it meanwhile.
        await jsm.streams.info(config.name).catch(() => {
          throw error;
        });
      });
    }
  }
}
