import js from "@eslint/js";
import rxjs from "eslint-plugin-rxjs-x";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  // spec/bench, spec/consumers and the applications of examples are projects of their own, with their own dependencies.
  { ignores: ["dist/", ".docs/", "coverage/", "spec/bench/", "spec/consumers/"] },
  { ignores: ["examples/nestjs/", "examples/react/", "examples/angular/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly" } },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked, rxjs.configs.strict],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: `${import.meta.dirname}/..` },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // A bus carries other people's errors: whatever a handler threw is passed on with its identity.
      "@typescript-eslint/only-throw-error": [
        "error",
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      "@typescript-eslint/prefer-promise-reject-errors": [
        "error",
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      "rxjs-x/throw-error": ["error", { allowThrowingAny: true, allowThrowingUnknown: true }],
    },
  },
  {
    files: ["src/**/*.ts"],
    extends: [tseslint.configs.stylisticTypeChecked],
    rules: {
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/class-literal-property-style": "off",
      "@typescript-eslint/consistent-indexed-object-style": "off",
      "@typescript-eslint/consistent-type-definitions": "off",
      // "" is as good as absent where a name is wanted
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
      "@typescript-eslint/prefer-for-of": "off", // index loops on the hot path
      "no-console": "error",
    },
  },
  {
    // Specs and examples provoke what a library must not do, and stay short.
    files: ["spec/**/*.ts", "examples/**/*.ts"],
    rules: {
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-floating-promises": "off", // dispatching without awaiting is a feature under test
      "rxjs-x/no-floating-observables": "off",
      "rxjs-x/no-ignored-error": "off",
    },
  },
  {
    files: ["spec/**/*.ts"],
    rules: {
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "@typescript-eslint/unbound-method": "off",
      "rxjs-x/no-async-subscribe": "off",
      "rxjs-x/no-exposed-subjects": "off",
      "rxjs-x/no-nested-subscribe": "off",
      "rxjs-x/no-subclass": "off",
      "rxjs-x/throw-error": "off",
    },
  },
);
