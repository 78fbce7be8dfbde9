import { build } from "esbuild";

/** What a page tells of an Angular application of which only the buses are there, before and after its end. */
export interface BusesTold {
  readonly zone: boolean;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const PROGRAM = (zone: boolean): string => `
  ${zone ? 'import "zone.js";' : ""}
  import "@angular/compiler";
  import { provideZoneChangeDetection, provideZonelessChangeDetection } from "@angular/core";
  import { createApplication } from "@angular/platform-browser";
  import { CommandBus, QueryBus } from "cqrx";
  import { provideBuses } from "./src/buses";
  import { GetShelf, RemoveBook } from "./src/messages";

  const application = await createApplication({
    providers: [${zone ? "provideZoneChangeDetection()" : "provideZonelessChangeDetection()"}, provideBuses()],
  });
  const [commandBus, queryBus] = [CommandBus, QueryBus].map((type) => application.injector.get(type));
  const told = { zone: "Zone" in globalThis, before: [], after: [] };
  const ended = new Promise((complete) =>
    queryBus.watch(new GetShelf()).subscribe({ next: () => told.before.push("value"), complete }));
  await commandBus.dispatch(new RemoveBook("x")).then(() => told.before.push("dispatched"));

  // In flight when the application ends: it may come to its end, and nothing else may begin.
  const inFlight = commandBus.dispatch(new RemoveBook("x"));
  application.destroy();
  const tell = (text) => () => told.after.push(text);
  const tellCode = ({ code }) => told.after.push(code);
  await commandBus.dispatch(new RemoveBook("x")).catch(tellCode);
  await inFlight.then(tell("the command in flight has ended"));
  await ended.then(tell("the live query is complete"));
  await queryBus.ask(new GetShelf()).catch(tellCode);
  globalThis.told = told;
`;

/** Returns a program for a browser, with the example's own buses and messages. */
export async function angularBuses(folder: string, zone: boolean): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM(zone), resolveDir: folder, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    logLevel: "silent",
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: true } },
  });
  return outputFiles[0]!.text;
}
