/** @jest-config-loader-options {"transpileOnly": true} */
import type { Config } from "jest";

const tsconfig = {
  target: "ES2022",
  lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"],
  module: "CommonJS",
  moduleResolution: "Node10",
  ignoreDeprecations: "6.0",
  esModuleInterop: true,
  isolatedModules: true,
  sourceMap: true,
  inlineSources: true,
};

// Specs run as CommonJS and are not type-checked here: `npm run typecheck` does that.
const config: Config = {
  testEnvironment: "node",
  // A slow machine must not turn a slow test red.
  testTimeout: 60_000,
  roots: ["<rootDir>/spec"],
  testMatch: ["<rootDir>/spec/**/*.spec.ts"],
  testPathIgnorePatterns: ["/node_modules/", "<rootDir>/spec/bench/", "<rootDir>/spec/consumers/"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/spec/bench/", "<rootDir>/spec/consumers/"],
  setupFilesAfterEnv: ["<rootDir>/spec/support/warnings.ts"],
  moduleNameMapper: {
    "^(\\.{1,2}/.*)\\.js$": "$1",
    "^cqrx$": "<rootDir>/src/index.ts",
    "^cqrx/(.+)$": "<rootDir>/src/$1/index.ts",
  },
  transform: {
    "^.+\\.ts$": ["ts-jest", { diagnostics: false, tsconfig }],
    // arktype is published as ES modules only.
    "/node_modules/(?:arktype|arkregex|@ark)/.+\\.js$": [
      "ts-jest",
      { diagnostics: false, tsconfig: { ...tsconfig, allowJs: true } },
    ],
  },
  transformIgnorePatterns: ["/node_modules/(?!(?:arktype|arkregex|@ark)/)"],
};

export default config;
