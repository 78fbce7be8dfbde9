import { transportSuite } from "cqrx/testing";
import { MemoryBroker, memoryTransport } from "cqrx/transport";
import { describe, it } from "vitest";

transportSuite(
  "memory",
  async () => {
    const broker = new MemoryBroker();
    return {
      connect: () => memoryTransport({ broker }),
      crash: async () => broker.crash(),
      restart: async () => broker.restart(),
      close: async () => undefined,
    };
  },
  { refuseDeadLetters: false },
  { describe, it },
);
