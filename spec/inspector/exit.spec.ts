import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { buildSync } from "esbuild";

const run = promisify(execFile);

describe("a process", () => {
  it("177 that serves the inspector ends by itself, also while a page reads the feed and a listener waits", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cqrx-exit-"));
    try {
      const outfile = join(folder, "script.mjs");
      buildSync({
        stdin: {
          resolveDir: join(__dirname, "../.."),
          loader: "ts",
          contents: `
            import { connect } from "node:net";
            import { CommandBus } from "./src/index.ts";
            import { inspect } from "./src/inspector/index.ts";
            class Canary {}
            const bus = new CommandBus();
            bus.register(Canary, () => console.log("canary"));
            const inspector = inspect(bus, { token: "the-token-of-this-spec" });
            inspector.subscribe(() => undefined);
            const { port } = await inspector.listen();
            await new Promise((resolve) => {
              const page = connect(port, "127.0.0.1");
              page.write("GET /feed HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer the-token-of-this-spec\\r\\n\\r\\n");
              page.once("data", () => resolve(page.unref()));
            });
            console.log(inspector.counts.clients, "page");
            await bus.dispatch(new Canary());`,
        },
        outfile,
        bundle: true,
        platform: "node",
        format: "esm",
      });
      // Whatever kept it alive would do so until the time limit.
      const { stdout, stderr } = await run(process.execPath, [outfile], { timeout: 100_000 });
      expect([stdout, stderr]).toEqual(["1 page\ncanary\n", ""]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
