// Orders over three kinds of processes, of which some are killed. Run: npm run example orders
// Starts a NATS server of its own; without one it runs in this process, on the memory transport. Ends by itself.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { installed } from "../support/nats-server.js";
import { Gateway } from "./gateway.js";
import { reckon } from "./reckoning.js";
import { Screen } from "./screen.js";
import { startInOneProcess, startProcesses } from "./stage.js";

const ORDERS = 240;
const PATIENCE_MS = 15_000;

const screen = new Screen();
const print = (line: string): void => screen.print(line);
const folder = mkdtempSync(join(tmpdir(), "cqrx-orders-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.once("SIGINT", () => process.exit(130)); // the processes and the server end with this one
const stage = await (installed ? startProcesses : startInOneProcess)(folder, print);
const gateway = new Gateway(stage.network);

let parcels = 0;
const show = (): void =>
  screen.live(
    `  ${String(gateway.orders.size).padStart(3)} orders placed, ${String(parcels).padStart(3)} parcels sent`,
  );
const watching = gateway.watchParcels((count) => {
  parcels = count;
  show();
});

const placing = gateway.place(ORDERS);
for (const [after, kill] of [
  [60, () => stage.killWorker()],
  [140, () => stage.killServer()],
] as const) {
  while (gateway.orders.size < after) await pause(20);
  await kill();
}
await placing;

// What was in flight in a killed process comes back after its ackWait.
const end = performance.now() + PATIENCE_MS;
let { lines, open, wrong } = await reckon(gateway.orders, folder, gateway.link.deadLetters);
while (open > 0 && performance.now() < end) {
  await pause(100);
  ({ lines, open, wrong } = await reckon(gateway.orders, folder, gateway.link.deadLetters));
}
show();
watching.unsubscribe();
screen.endLive();
await gateway.link.close();
await stage.close();

for (const line of lines) print(line);
if (open + wrong > 0) {
  print("The ledger does not add up.");
  process.exitCode = 1;
} else print(`Each of the ${gateway.orders.size} orders is accounted for.`);
