const process = require("node:process");
const { writeFileSync } = require("node:fs");
const { join, relative } = require("node:path");
const { TestEnvironment } = require("jest-environment-node");

/** Skips what is left after the first failure; without a mutant, notes which mutants the file executes. */
module.exports = class extends TestEnvironment {
  #path;

  constructor(config, context) {
    super(config, context);
    this.#path = relative(config.projectConfig.rootDir, context.testPath);
  }

  handleTestEvent({ name, test }) {
    if (name === "test_fn_failure" || name === "hook_failure") process.env["CQRX_FAILED"] = "yes";
    if (
      name === "test_start" &&
      process.env["CQRX_HITS"] === undefined &&
      process.env["CQRX_FAILED"] !== undefined
    )
      test.mode = "skip";
  }

  async teardown() {
    const folder = process.env["CQRX_HITS"];
    if (folder !== undefined)
      writeFileSync(
        join(folder, `${this.#path.replaceAll("/", "+")}.json`),
        JSON.stringify([...(this.global.__mutants ?? [])]),
      );
    await super.teardown();
  }
};
