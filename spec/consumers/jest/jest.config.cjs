// The everyday Jest set-up: CommonJS through ts-jest, nothing special for cqrx.
module.exports = { preset: "ts-jest", testEnvironment: "node" };
