import { transportSuite } from "cqrx/testing";
import { MemoryBroker, memoryTransport } from "cqrx/transport";

transportSuite(
  "memory",
  async () => {
    const broker = new MemoryBroker();
    return {
      connect: () => memoryTransport({ broker }),
      crash: async () => broker.crash(),
      restart: async () => broker.restart(),
      refuseDeadLetters: async (refused) => broker.refuseDeadLetters(refused),
      close: async () => undefined,
    };
  },
  { calls: true, stored: true, replay: true, order: "key", delayedRetry: true },
);
