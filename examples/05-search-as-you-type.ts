// switchMap over ask$ cancels the previous search, because it unsubscribes from it.
// Run: npm run example 05
// Look at: only the last text gets an answer; the signals of the earlier handlers are aborted.
import { from, lastValueFrom, switchMap } from "rxjs";
import { defineQuery, QueryBus } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class Search extends defineQuery<readonly string[]>()("Search", z.object({ text: z.string() })) {}

const cities = ["Bergen", "Berlin", "Bern", "Bonn", "Brest"];

export async function main(print: Print): Promise<void> {
  const queryBus = new QueryBus();

  queryBus.register(Search, async ({ text }, { signal }) => {
    print(`"${text}": searching`);
    signal.addEventListener("abort", () => print(`"${text}": cancelled`));
    await Promise.resolve(); // a real handler passes the signal on: fetch(url, { signal })
    return cities.filter((city) => city.startsWith(text));
  });
  queryBus.outcomes$.subscribe(({ status }) => print(`outcome: ${status}`));

  const typed$ = from(["B", "Be", "Ber", "Berl"]);
  const found$ = typed$.pipe(switchMap((text) => queryBus.ask$(new Search({ text }))));
  const found = await lastValueFrom(found$, { defaultValue: [] });
  print(`found: ${found.join(", ")}`);
}

runWhenStarted("05-search-as-you-type.ts", main);
