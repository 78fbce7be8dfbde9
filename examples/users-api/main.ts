// Starts the users service on PORT (3000) and HOST (127.0.0.1); SIGINT and SIGTERM shut it down within GRACE_MS (10000).
// Run: npm start
// Then: the curl commands that it prints, and the link to the inspector in a browser; npm start -- --demo adds the traffic of a shop.
import { basename } from "node:path";
import { inspect } from "cqrx/inspector";
import { pino } from "pino";
import pretty from "pino-pretty";
import { buildApp } from "./app.js";
import { startUserCount } from "./jobs.js";
import { openShop } from "./shop.js";
import type { UserStore } from "./store.js";

/** Resolves when the service listens. */
export async function start(users?: UserStore): Promise<void> {
  const { PORT = "3000", HOST = "127.0.0.1", LOG_LEVEL = "info", GRACE_MS = "10000" } = process.env;
  const graceMs = Number(GRACE_MS);
  if (!(graceMs >= 0 && graceMs < 2 ** 31 - 1_000))
    throw new Error(`GRACE_MS is a number of milliseconds; received ${GRACE_MS}`);
  if (!/^\d+$/.test(PORT)) throw new Error(`PORT is a number; received "${PORT}"`);
  const logger = pino(
    { level: LOG_LEVEL },
    pretty({ colorize: process.stdout.isTTY, ignore: "pid,hostname", singleLine: true, sync: true }),
  );
  const { app, buses, close } = buildApp(logger, users);
  const url = await app.listen({ port: Number(PORT), host: HOST });
  const job = startUserCount(buses, logger);
  const demo = process.argv.includes("--demo") ? openShop() : undefined;
  const inspector = inspect({ ...buses, ...demo?.shop });
  const { url: inspectorUrl } = await inspector.listen();

  onSignal(graceMs, async (signal) => {
    logger.info(`${signal}: shutting down; once more to exit at once`);
    job.unsubscribe();
    await inspector.close();
    await demo?.close();
    await close(graceMs);
    logger.info("bye");
  });

  console.log(`
Try:
  curl -i -X POST ${url}/users -H 'content-type: application/json' -d '{"userId":"u1","email":"ada@example.com"}'
  curl -i ${url}/users/u1
  curl -i -X DELETE ${url}/users/u1 -H 'x-role: admin'
In a browser: ${url}/audit shows each outcome, ${url}/users/u1/live the user as it changes.
${inspectorUrl === undefined ? "" : `Inspector: ${inspectorUrl}\n`}`);
}

/** The first signal shuts down in good order; a second one, or a client that never finishes, ends the process at once. */
function onSignal(graceMs: number, shutDown: (signal: string) => Promise<void>): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      setTimeout(() => process.exit(1), graceMs + 1_000).unref();
      shutDown(signal).then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

if (basename(process.argv[1] ?? "") === "main.ts")
  start().catch((error: Error) => {
    console.error(
      `Could not start: ${error.message}. Other values are set by PORT=3001 npm start, and likewise HOST, LOG_LEVEL and GRACE_MS.`,
    );
    process.exitCode = 1;
  });
