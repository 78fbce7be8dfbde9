import { faultCases } from "./fault-cases.js";
import { memoryWorld } from "./memory-world.js";

faultCases("memory", memoryWorld);
