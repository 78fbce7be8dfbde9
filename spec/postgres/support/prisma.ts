// The client that `prisma generate` writes for a schema without models. Written by hand, because the generator asks for a
// program that it downloads; the client itself needs none.
import { createRequire } from "node:module";
import { join } from "node:path";
import { PrismaPg } from "@prisma/adapter-pg";
import { getPrismaClient, type GetPrismaClientConfig } from "@prisma/client/runtime/client";
import type { Sql } from "cqrx/postgres";

type QueryCompiler = Awaited<ReturnType<NonNullable<GetPrismaClientConfig["compilerWasm"]>["getRuntime"]>>;

/** The files have no types. */
const load = (file: string): unknown =>
  createRequire(join(process.cwd(), "package.json"))(`@prisma/client/runtime/${file}`);

/** The part of a transaction that {@link Sql} needs. */
export interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown[]>;
}

export interface Prisma {
  $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

export function prismaSql(tx: PrismaTransaction): Sql {
  return { query: async (text, values = []) => ({ rows: await tx.$queryRawUnsafe(text, ...values) }) };
}

export function prismaClient(connectionString: string): Prisma {
  const Client = getPrismaClient({
    previewFeatures: [],
    clientVersion: "7.10.0",
    engineVersion: "",
    activeProvider: "postgresql",
    inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    parameterizationSchema: { strings: [], graph: "AAAA" },
    compilerWasm: {
      getRuntime: () => Promise.resolve(load("query_compiler_fast_bg.postgresql.js") as QueryCompiler),
      getQueryCompilerWasmModule() {
        const { wasm } = load("query_compiler_fast_bg.postgresql.wasm-base64.js") as {
          readonly wasm: string;
        };
        return Promise.resolve(new WebAssembly.Module(Buffer.from(wasm, "base64")));
      },
      importName: "./query_compiler_fast_bg.js",
    },
  });
  return new Client({ adapter: new PrismaPg({ connectionString }) });
}
