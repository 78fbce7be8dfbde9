// Starts the service on PORT (3000). SIGINT and SIGTERM shut it down: see buses.module.ts.
// Run: npm run example nestjs
import "reflect-metadata";
import { fileURLToPath } from "node:url";
import { NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import { AppModule } from "./app.module.js";

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ["warn", "error"] });
app.useStaticAssets(fileURLToPath(new URL("../public", import.meta.url)));
app.enableShutdownHooks();
await app.listen(process.env["PORT"] ?? 3000, "127.0.0.1");

console.log(`
Open ${await app.getUrl()} in two windows, or try:
  curl -N ${await app.getUrl()}/books/live
  curl -X POST ${await app.getUrl()}/books -H 'content-type: application/json' -d '{"title":"Emma","author":"Jane Austen"}'
`);
