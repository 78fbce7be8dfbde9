import { MemoryBroker, memoryTransport } from "cqrx/transport";
import { linkCases } from "./link-cases.js";

linkCases("memory", async () => {
  const broker = new MemoryBroker();
  return {
    connect: () => memoryTransport({ broker }),
    crash: async () => broker.crash(),
    restart: async () => broker.restart(),
    close: async () => undefined,
  };
});
