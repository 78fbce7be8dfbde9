import { linkCases } from "./link-cases.js";
import { memoryWorld } from "./memory-world.js";
import { wireCases } from "./wire-cases.js";

linkCases("memory", memoryWorld);
wireCases("memory", memoryWorld);
