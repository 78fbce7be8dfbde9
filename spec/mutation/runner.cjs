const process = require("node:process");
const { default: TestRunner } = require("jest-runner");

/** Stops at the first file that fails, because Jest's own way to do so ends the process. */
module.exports = class extends TestRunner {
  async runTests(tests, watcher, options) {
    if (process.env["CQRX_HITS"] !== undefined) return super.runTests(tests, watcher, options);
    let failed = false;
    this.on("test-file-failure", () => (failed = true));
    this.on("test-file-success", ([, { numFailingTests }]) => (failed ||= numFailingTests > 0));
    for (const test of tests) if (!failed) await super.runTests([test], watcher, options);
  }
};
