// A second process of the bank, which main.ts kills.
import { openBank } from "./bank.js";

await openBank(process.argv[2]!, console.log);
console.log("  a worker process has started");
