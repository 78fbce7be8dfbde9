import { describe, expect, it } from "@jest/globals";
import { installed } from "../../examples/support/nats-server.js";
import { Child } from "./support/child.js";

const MAIN = "examples/orders/main.ts";

/** How many lines of the ledger say this. */
const row = (printed: string, text: string): number =>
  Number(new RegExp(`^ *(\\d+)  ${text}`, "m").exec(printed)![1]);

describe("examples/orders", () => {
  it("accounts for each order when a worker and the server are killed", async () => {
    if (!installed) throw new Error("Install it: apt-get install -y --no-install-recommends nats-server");
    await using child = Child.of(MAIN);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.printed).toMatch(/✗ worker A \(pid \d+\) ended by SIGKILL/);
    expect(child.printed).toMatch(/✗ the server \(pid \d+\) ended by SIGKILL/);
    expectLedger(child.printed);
  });

  it("runs in one process without a server, and says so", async () => {
    await using child = Child.of(MAIN, [], { NATS_SERVER: "not-installed" });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.printed).toMatch(/^nats-server is not installed: everything runs in this one process/);
    expectLedger(child.printed);
  });

  function expectLedger(printed: string): void {
    expect(row(printed, "placed$") + row(printed, "not sent, so") + row(printed, "unknown")).toBe(240);
    expect(row(printed, "refused, in the dead letters: “UnrecoverableError: There are no unicorns.”")).toBe(
      6,
    );
    expect(row(printed, "placed, and neither sent nor refused")).toBe(0);
    expect(row(printed, "not placed, and charged")).toBe(0);
    expect(printed).toMatch(/^Each of the 240 orders is accounted for\.$/m);
  }
});
