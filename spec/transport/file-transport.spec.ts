import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { CommandBus } from "cqrx";
import { transportSuite } from "cqrx/testing";
import { Link } from "cqrx/transport";
import { FileTransport } from "./file-transport.js";
import { PlaceOrder, until } from "./support.js";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "cqrx-files-"));

describe("121 a third transport", () => {
  transportSuite(
    "files",
    async () => {
      const folder = newFolder();
      return {
        connect: async () => new FileTransport(folder),
        close: async () => rmSync(folder, { recursive: true }),
      };
    },
    { calls: false, order: "none", replay: false, crash: false, refuseDeadLetters: false },
  );

  it("carries stored commands of a link, and refuses to route calls", async () => {
    const folder = newFolder();
    const [near, far] = [new Link(new FileTransport(folder)), new Link(new FileTransport(folder))];
    const [here, there] = [new CommandBus(), new CommandBus()];
    const handled: string[] = [];
    there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
    await far.serve(there, [PlaceOrder]);
    expect(() => near.route(here, [PlaceOrder])).toThrow("what the transport files can do");
    near.route(here, [PlaceOrder], { until: "stored" });
    await here.dispatch(new PlaceOrder("o1"));
    await until(() => handled.length === 1);
    await Promise.all([near.close(), far.close()]);
    rmSync(folder, { recursive: true });
  });

  it("is at most 150 lines of code", () => {
    const lines = readFileSync(join(__dirname, "file-transport.ts"), "utf8").split("\n");
    expect(lines.filter((line) => !/^\s*(\/\/.*|\/?\*.*)?$/.test(line)).length).toBeLessThanOrEqual(150);
  });
});
