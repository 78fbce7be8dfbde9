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
const shared: Config = {
  testEnvironment: "node",
  roots: ["<rootDir>/spec"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/spec/bench/", "<rootDir>/spec/consumers/"],
  globalSetup: "<rootDir>/spec/postgres/support/run-id.ts",
  setupFilesAfterEnv: ["<rootDir>/spec/support/warnings.ts", "<rootDir>/spec/support/async-storages.ts"],
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

/** Suites that soak, start processes, compile programs or run a model for long. */
const slow = [
  "conformance/cases-leaks",
  "conformance/cases-process-exit",
  "conformance/cases-warnings",
  "conformance/model",
  "defaults/decorators",
  "examples/apps",
  "examples/orders",
  "examples/start",
  "examples/users-api",
  "examples/users-api-live",
  "inspector/exit",
  "inspector/jest-recipe",
  "inspector/page/axe",
  "inspector/page/chromium",
  "inspector/page/pictures",
  "middleware/overlap.model",
  "postgres/bank",
  "postgres/debian",
  "postgres/embedded",
  "postgres/using",
  "nats/nats-faults",
  "nats/nats-transport",
  "nats/two-processes",
  "transport/memory-faults",
  "transport/memory-link",
  "reference/reference",
  "types/mistakes",
  "types/types",
].map((path) => `<rootDir>/spec/${path}.spec.ts`);

const ignored = ["/node_modules/", "<rootDir>/spec/bench/", "<rootDir>/spec/consumers/"];

// `npm test` runs the project "fast", `npm run test:all` both.
const config: Config = {
  // A slow machine must not turn a slow test red.
  testTimeout: 120_000,
  projects: [
    {
      ...shared,
      displayName: "fast",
      testMatch: ["<rootDir>/spec/**/*.spec.ts"],
      testPathIgnorePatterns: [...ignored, ...slow],
    },
    {
      ...shared,
      displayName: "slow",
      testMatch: slow,
      testPathIgnorePatterns: ignored,
      setupFilesAfterEnv: [...shared.setupFilesAfterEnv!, "<rootDir>/spec/support/patience.ts"],
    },
  ] as Config["projects"] & object,
};

export default config;
