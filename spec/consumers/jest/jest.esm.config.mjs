// Jest's ES modules, which are experimental: nothing is compiled.
export default { testEnvironment: "node", transform: {}, testMatch: ["**/modules.mjs"] };
