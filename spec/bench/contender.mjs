// One contender of one scenario, in this process and no other: node contender.mjs <scenario file> <contender> [quick]
// Prints its result as JSON.
import { measure } from "./measure.mjs";

const [file, name, mode] = process.argv.slice(2);
const { default: scenario } = await import(new URL(file, new URL("scenarios/", import.meta.url)));
const contender = await scenario.contenders[name]();
const quick = mode === "quick";
const result = await (contender.measure === undefined ? measure(contender, quick) : contender.measure(quick));
console.log(JSON.stringify(result));
// A contender may have left timers.
process.exit();
