import { afterAll, describe, expect, it } from "@jest/globals";
import { Child } from "../examples/support/child.js";
import { installed, NatsServer } from "../../examples/support/nats-server.js";
import { debian } from "./support/servers.js";

describe("npm run example bank", () => {
  let nats: NatsServer | undefined;
  afterAll(() => nats?.kill());

  /** Runs it to its end, and returns what it printed. */
  async function run(env: NodeJS.ProcessEnv): Promise<string> {
    await using app = Child.of(".config/example.mjs", ["bank"], env);
    expect({ ...(await app.exited), printed: app.printed }).toMatchObject({ code: 0 });
    return app.printed;
  }
  const ledgers = (printed: string): string[] =>
    [...printed.matchAll(/ledger: (?:\w+ \d+, ){3}\w+ \d+; sum (\d+)/g)].map(([, sum]) => sum!);

  it("starts on a fresh machine, kills workers, ends by itself, and its ledger adds up", async () => {
    const printed = await run({});
    expect(ledgers(printed)).toEqual(["400", "400"]);
    expect(printed.match(/killed a worker after \d+ transfers/g)).toHaveLength(2);
    expect(Number(/live sent (\d+) values/.exec(printed)![1])).toBeGreaterThan(1);
    expect(printed).toMatch(/ {2}[ab]\d+-\w+ refused\n/);
    expect(printed).not.toContain("NATS");
  });

  it("uses the database at DATABASE_URL, again too, and tells a branch over NATS", async () => {
    if (!installed) throw new Error("nats-server is missing: apt-get install nats-server");
    nats = await new NatsServer().start();
    const env = { DATABASE_URL: await debian.url(), NATS_URL: nats.url };
    for (let time = 0; time < 2; time++) {
      const printed = await run(env);
      expect(ledgers(printed)).toEqual(["400", "400"]);
      expect(printed).toMatch(/ {2}[ab]\d+-\w+ refused, the branch was told over NATS\n/);
    }
  });
});
