import type { LinkState, Transport, TransportFeatures } from "../transport/transport.js";
import {
  check,
  same,
  type Declare,
  type TransportWorld,
  type WorldFault,
} from "./transport-tests/support.js";
import { callTests } from "./transport-tests/calls.js";
import { storedTests } from "./transport-tests/stored.js";
import { storedFaultTests } from "./transport-tests/stored-faults.js";

export type { TransportWorld } from "./transport-tests/support.js";

/** The functions of a test runner, as Jest, Vitest and node:test have them. */
export interface TestRunner {
  describe(name: string, tests: () => void): unknown;
  readonly it: ((name: string, test: () => Promise<void>) => unknown) & {
    /** Lists what is left out. */
    readonly todo?: (name: string) => unknown;
  };
}

/** The features that a transport is tested for; each is assumed unless it is declared otherwise. */
export interface SuiteFeatures extends Partial<TransportFeatures> {
  /** Whether worlds can `crash` and `restart`. @defaultValue true */
  readonly crash?: boolean;
  /** Whether worlds can `refuseDeadLetters`. @defaultValue true */
  readonly refuseDeadLetters?: boolean;
}

/**
 * Declares the tests that a transport has to pass: the specification of `Transport` in code.
 *
 * @param make - makes a network for each test
 * @param features - what the engine and the worlds can do; what is left out is listed as a todo, and a world without a
 * fault that is not declared away fails its tests
 * @param runner - `describe` and `it`; those of Jest, or of Vitest with globals, if it is left out
 * @example
 * transportSuite("memory", async () => {
 *   const broker = new MemoryBroker();
 *   return { connect: () => memoryTransport({ broker }), close: async () => {} };
 * }, { crash: false, refuseDeadLetters: false });
 */
export function transportSuite(
  name: string,
  make: () => Promise<TransportWorld>,
  features: SuiteFeatures = {},
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { calls = true, stored = true, replay = true, order = "key", delayedRetry = true } = features;
  const faults: Readonly<Record<WorldFault, boolean>> = {
    crash: features.crash ?? true,
    restart: features.crash ?? true,
    refuseDeadLetters: features.refuseDeadLetters ?? true,
  };

  const leaveOut = (title: string): void => {
    if (runner.it.todo === undefined) runner.it(title, () => Promise.resolve());
    else runner.it.todo(title);
  };

  const test: Declare = (title, run, needs = []) => {
    const missing = needs.find((fault) => !faults[fault]);
    if (missing !== undefined) return leaveOut(`${title} (left out: its worlds cannot ${missing})`);
    runner.it(title, async () => {
      const world = await make();
      for (const fault of needs)
        check(
          world[fault] !== undefined,
          `the world has no ${fault}(); declare it false if it cannot have it`,
        );
      const open: Transport[] = [];
      const connect = async (): Promise<Transport> => {
        const transport = await world.connect();
        open.push(transport);
        return transport;
      };
      try {
        await run({ ...world, connect } as Parameters<typeof run>[0]);
      } finally {
        await Promise.all(open.map((transport) => transport.close()));
        await world.close();
      }
    });
  };

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
    if (stored) {
      storedTests(test, { delayedRetry, order, replay });
      storedFaultTests(test);
    }
    if (calls) callTests(test);
    for (const [feature, has] of Object.entries({
      calls,
      stored,
      replay,
      order: order === "key",
      delayedRetry,
    }))
      if (!has) leaveOut(`what needs ${feature} (left out: the transport does not have it)`);
  });
}
