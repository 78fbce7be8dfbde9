const process = require("node:process");
const { default: Sequencer } = require("@jest/test-sequencer");

/** Runs the specs in the order in which they were named, the likeliest to fail first. */
module.exports = class extends Sequencer {
  sort(tests) {
    const order = JSON.parse(process.env["CQRX_SPECS"] ?? "[]");
    const placeOf = ({ path }) => order.findIndex((spec) => path.endsWith(`/${spec}`));
    return [...tests].sort((a, b) => placeOf(a) - placeOf(b));
  }
};
