import { describe } from "@jest/globals";
import { transportSuite } from "cqrx/testing";
import { MemoryBroker, memoryTransport } from "cqrx/transport";

describe("121 the suite of transports", () => {
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
});
