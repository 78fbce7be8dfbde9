// A second process of the bank, which main.ts kills.
import { openBank } from "./bank.js";

const [, , url = "", natsUrl] = process.argv;
await openBank(url, console.log, natsUrl);
console.log("  a worker process has started");
// So that it does not go on without main.ts.
process.once("disconnect", () => process.exit());
