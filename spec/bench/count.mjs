// Counts one contender of one scenario, in this process and no other, which runs under callgrind:
//   valgrind --tool=callgrind --instr-atstart=no … node --single-threaded count.mjs <scenario file> <contender> <warm-up> <count>
// Prints { messages, cqrx } as JSON. valgrind prints the number of instructions at the end.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { usesCqrx } from "./contenders/cqrx.mjs";
import { oneByOne } from "./measure.mjs";

const [file, name, ...numbers] = process.argv.slice(2);
const { default: scenario } = await import(new URL(file, new URL("scenarios/", import.meta.url)));
const { send, batch = oneByOne(send), size = 1, handled, handlers = 1 } = await scenario.contenders[name]();
// Some scenarios send messages in batches, and only whole batches can be compared.
const [warmUp, count] = numbers.map((number) => Math.ceil(Number(number) / size) * size);

await batch(warmUp);
countInstructions("on");
await batch(count);
countInstructions("off");
assert.equal(handled(), (warmUp + count) * handlers, "the handlers did not run once for each message");

console.log(JSON.stringify({ messages: count, cqrx: usesCqrx() }));
// A contender may have left timers.
process.exit();

function countInstructions(state) {
  execFileSync("callgrind_control", ["-i", state, String(process.pid)], { stdio: "ignore" });
}
