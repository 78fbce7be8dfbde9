import { join } from "node:path";
import { compileFunction } from "node:vm";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { build } from "esbuild";
import type * as cqrxModule from "cqrx";
import type * as middlewareModule from "cqrx/middleware";
import type * as opentelemetryModule from "cqrx/opentelemetry";
import type * as pinoModule from "cqrx/pino";
import { pino } from "pino";

type Library = typeof cqrxModule & typeof middlewareModule & typeof opentelemetryModule & typeof pinoModule;

const root = join(__dirname, "../..");
const everything = ["cqrx", "cqrx/middleware", "cqrx/opentelemetry", "cqrx/pino"]
  .map((entryPoint) => `export * from "${entryPoint}";`)
  .join("\n");

async function bundled(minify: boolean): Promise<Library> {
  const { outputFiles } = await build({
    stdin: { contents: everything, resolveDir: root },
    tsconfig: join(root, "tsconfig.json"),
    bundle: true,
    minify,
    format: "cjs",
    platform: "node",
    external: ["rxjs", "pino", "@opentelemetry/api"],
    write: false,
  });
  const module = { exports: {} };
  const run: unknown = compileFunction(outputFiles[0]!.text, ["module", "exports", "require"]);
  (run as (...parameters: readonly unknown[]) => void)(module, module.exports, require);
  return module.exports as Library;
}

/** Stands for a function of the application, which is minified, too. */
const vt = <T>(value: T): T => value;

describe.each([
  ["a minified build", true],
  ["a bundle", false],
])("B37 names in %s", (_, minify) => {
  let library: Library;
  beforeAll(async () => {
    library = await bundled(minify);
  });

  it("buses have the names of their classes", async () => {
    const { CommandBus, QueryBus, EventBus } = library;
    for (const [name, bus] of Object.entries({
      CommandBus: new CommandBus(),
      QueryBus: new QueryBus(),
      EventBus: new EventBus(),
    })) {
      expect(bus.describe().name).toBe(name);
      await bus.close();
    }
    expect(() => new CommandBus({ middlewares: [] } as object)).toThrow("new CommandBus(): unknown option");
    class GetUser {}
    const closed = new QueryBus();
    await closed.close();
    await expect(closed.ask(new GetUser())).rejects.toThrow("QueryBus is closed");
  });

  it("middleware of the library has its own name", () => {
    class GetUser {
      static readonly messageName = "users.get";
    }
    const {
      authorization,
      batching,
      caching,
      coalescing,
      idempotency,
      logging,
      metering,
      overlap,
      QueryBus,
      retrying,
      timeLimit,
      tracing,
      validation,
      when,
    } = library;
    const logger = pino({ level: "silent" });
    const middleware = {
      authorization: authorization(() => true),
      batching: batching({ load: () => Promise.resolve([]) }),
      caching: caching({ store: new Map() }),
      coalescing: coalescing(),
      idempotency: idempotency({ key: () => undefined, store: new Map() }),
      logging: logging(logger),
      metering: metering(),
      "overlap(concat)": overlap({ strategy: "concat" }),
      "retrying(1)": retrying({ count: 1 }),
      tracing: tracing(),
      validation: validation(),
      "when(users.get: validation)": when(GetUser, validation()),
    };
    const bus = new QueryBus({ middleware: [...Object.values(middleware), timeLimit(1_000)] });
    expect(bus.describe().middleware).toEqual([
      ...Object.keys(middleware),
      expect.stringMatching(/^timeLimit/),
    ]);
  });

  it("functions of the application are named as far as their names say something", () => {
    const { around, CommandBus, EventBus, saga, shared } = library;
    class CreateUser {}
    const commandBus = new CommandBus({
      middleware: [
        vt,
        shared(vt),
        around(function vt(_, next) {
          return next();
        }),
      ],
    });
    commandBus.register(CreateUser, vt);
    const { middleware, handlers } = commandBus.describe();
    expect(middleware).toEqual(minify ? ["(operator)", "shared", "around"] : ["vt", "vt", "vt"]);
    expect(handlers[0]?.handlers).toEqual([minify ? "(anonymous)" : "vt"]);
    const eventBus = new EventBus();
    const sources: string[] = [];
    eventBus.faults$.subscribe(({ source }) => sources.push(source));
    saga(eventBus, commandBus, vt, { restart: { count: 0 } }).unsubscribe();
    saga(
      eventBus,
      commandBus,
      function vt() {
        throw new Error("at start");
      },
      { restart: { count: 0 } },
    );
    expect(new Set(sources)).toEqual(new Set([minify ? "saga" : "vt"]));
  });
});
