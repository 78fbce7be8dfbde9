import { MemoryBroker, memoryTransport } from "cqrx/transport";
import type { World } from "./support.js";

/** A network in memory. */
export async function memoryWorld(): Promise<World> {
  const broker = new MemoryBroker();
  return {
    connect: () => memoryTransport({ broker }),
    async connectFragile() {
      const transport = await memoryTransport({ broker });
      return {
        transport,
        cut: async () => broker.partition(transport),
        heal: async () => broker.heal(transport),
      };
    },
    crash: async () => broker.crash(),
    restart: async () => broker.restart(),
    refuseDeadLetters: async (refused) => broker.refuseDeadLetters(refused),
    close: async () => undefined,
  };
}
