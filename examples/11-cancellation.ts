// Cancelling a cause cancels its effects: a signal goes in, and each handler passes its context on as causedBy.
// Run: npm run example 11
// Look at: aborting the import stops the download it started; the caller is free at once, with the reason it gave.
import { CommandBus, defineQuery, QueryBus } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class ImportPhotos {}

class Download extends defineQuery<string>()("Download", z.object({ url: z.string() })) {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();

  commandBus.register(ImportPhotos, async (_, context) => {
    const photo = await queryBus.ask(new Download({ url: "/cat.jpg" }), { causedBy: context });
    print(`imported ${photo}`); // never reached
  });

  queryBus.register(Download, ({ url }, { signal, envelope: { meta } }) => {
    print(
      `downloading ${url}, ${meta.causationId === undefined ? "for its caller" : "caused by another message"}`,
    );
    // A real download passes the signal on: fetch(url, { signal }). This one never ends without it.
    signal.addEventListener("abort", () => print(`download stopped: ${(signal.reason as Error).message}`));
    return new Promise<string>(() => undefined);
  });

  queryBus.outcomes$.subscribe(({ status }) => print(`query ${status}`));
  commandBus.outcomes$.subscribe(({ status }) => print(`command ${status}`));

  const controller = new AbortController();
  const importing = commandBus.dispatch(new ImportPhotos(), { signal: controller.signal });
  controller.abort(new Error("the user pressed Cancel"));

  await importing.catch((error: Error) => print(`caller: ${error.message}`));
  print(`in flight: ${commandBus.inFlight + queryBus.inFlight}`);
}

runWhenStarted("11-cancellation.ts", main);
