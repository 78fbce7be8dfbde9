// Run by node --test: the transport suite under Node's own runner.
import { describe, it } from "node:test";
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
      close: async () => undefined,
    };
  },
  { refuseDeadLetters: false },
  { describe, it },
);
