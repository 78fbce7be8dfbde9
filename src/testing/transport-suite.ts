import type { LinkState, Transport, TransportFeatures } from "../transport/transport.js";
import { check, same, type TransportWorld } from "./transport-tests/support.js";
import { callTests } from "./transport-tests/calls.js";
import { storedTests } from "./transport-tests/stored.js";

export type { TransportWorld } from "./transport-tests/support.js";

/** The functions of a test runner, as Jest, Vitest and node:test have them. */
export interface TestRunner {
  describe(name: string, tests: () => void): unknown;
  it(name: string, test: () => Promise<void>): unknown;
}

/**
 * Declares the tests that a transport has to pass: the specification of `Transport` in code.
 *
 * @param make - makes a network for each test
 * @param features - what the engine can do; tests of other features are left out
 * @param runner - `describe` and `it`; those of Jest, or of Vitest with globals, if it is left out
 * @example
 * transportSuite("memory", async () => {
 *   const broker = new MemoryBroker();
 *   return { connect: () => memoryTransport({ broker }), close: async () => {} };
 * }, { calls: true, stored: true, replay: true, order: "key", delayedRetry: true });
 */
export function transportSuite(
  name: string,
  make: () => Promise<TransportWorld>,
  features: Partial<TransportFeatures>,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { calls = true, stored = true, replay = true, order = "key", delayedRetry = true } = features;

  /** Declares a test that gets a network of its own. */
  const test = (title: string, run: (world: TransportWorld) => Promise<void>): void =>
    void runner.it(title, async () => {
      const world = await make();
      const open: Transport[] = [];
      const connect = async (): Promise<Transport> => {
        const transport = await world.connect();
        open.push(transport);
        return transport;
      };
      try {
        await run({ ...world, connect });
      } finally {
        await Promise.all(open.map((transport) => transport.close()));
        await world.close();
      }
    });

  runner.describe(`${name}, as a transport`, () => {
    test("has the features that it is tested for", async ({ connect }) => {
      const actual = (await connect()).features;
      for (const [feature, value] of Object.entries({ calls, stored, replay, order, delayedRetry }))
        check(
          actual[feature as keyof TransportFeatures] === value,
          `features.${feature} is not ${String(value)}`,
        );
    });
    test("tells its state, and closes once however often it is told", async ({ connect }) => {
      const transport = await connect();
      const states: LinkState[] = [];
      transport.state$.subscribe({ next: (state) => states.push(state), error: () => undefined });
      await Promise.all(Array.from({ length: 50 }, () => transport.close()));
      same(states, ["connected", "closed"]);
    });
    if (stored) storedTests(test, { delayedRetry, order, replay });
    if (calls) callTests(test);
  });
}
