// Counts one contender of one scenario, in this process and no other, which runs under callgrind:
//   valgrind --tool=callgrind --instr-atstart=no … node --single-threaded count.mjs <scenario file> <contender> <warm-up> <count>
// Prints { messages, cqrx } as JSON. The number of instructions is in what valgrind prints at the end.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { usesCqrx } from "./contenders/cqrx.mjs";
import { oneByOne } from "./measure.mjs";

const [file, name, ...numbers] = process.argv.slice(2);
const { default: scenario } = await import(new URL(file, new URL("scenarios/", import.meta.url)));
const { send, batch = oneByOne(send), size = 1, handled, handlers = 1 } = await scenario.contenders[name]();
// A batch has a size where messages are sent together, and only whole ones can be compared.
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
