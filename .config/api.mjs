// Writes the public types of each entry point to spec/api/*.api.md, or with --check compares them with what is there.
// The reports come from the declarations in dist, so that they show what users of the package see.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const root = fileURLToPath(new URL("..", import.meta.url));
const checking = process.argv.includes("--check");
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "cqrx-api-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

if (!process.argv.includes("--no-build")) {
  const build = spawnSync(process.execPath, [join(root, ".config/build.mjs")], { stdio: "inherit" });
  if (build.status !== 0) process.exit(1);
}

for (const [path, conditions] of Object.entries(exports)) {
  const types = conditions.import?.types;
  if (types === undefined) continue;
  const name = path === "." ? "cqrx" : path.slice(2).replaceAll("/", "-");
  const report = join(root, `spec/api/${name}.api.md`);
  const extractorConfig = ExtractorConfig.prepare({
    configObjectFullPath: join(root, "api-extractor.json"),
    packageJsonFullPath: join(root, "package.json"),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, types),
      compiler: { tsconfigFilePath: join(root, "tsconfig.json") },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: join(root, "spec/api"),
        reportTempFolder: folder,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: { logLevel: "error" } },
        extractorMessageReporting: {
          default: { logLevel: "error" },
          "ae-undocumented": { logLevel: "none" },
          // Types carry no release tags: what is not @internal is public.
          "ae-missing-release-tag": { logLevel: "none" },
          "ae-forgotten-export": { logLevel: "none" },
          "ae-unresolved-link": { logLevel: "none" },
        },
        tsdocMessageReporting: { default: { logLevel: "none" } },
      },
    },
  });
  const { apiReportChanged, succeeded } = Extractor.invoke(extractorConfig, {
    localBuild: !checking,
    messageCallback(message) {
      if (message.logLevel === "info" || message.logLevel === "verbose") message.logLevel = "none";
    },
  });
  console.log(
    `${succeeded && existsSync(report) ? (apiReportChanged ? "changed" : "same   ") : "FAILED "} ${name}.api.md`,
  );
  if (!succeeded) process.exitCode = 1;
}
if (process.exitCode === 1)
  console.log("Read the difference. If the change is meant, run `npm run api` and commit spec/api.");
