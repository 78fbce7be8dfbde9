// overlap() with "switch": a newer search takes the place of the one that runs, which is aborted.
// Run: npm run example 15
// Look at: the sender of the older search is rejected at once; with "exhaust" the newer search is refused.
import { CommandBus, Query, QueryBus, when } from "cqrx";
import { overlap } from "cqrx/middleware";
import { runWhenStarted, type Print } from "./support/run.js";

class Search extends Query<string[]> {
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}
class Save {}

const cities = ["Berlin", "Bergen", "Bern", "Bonn"];

export async function main(print: Print): Promise<void> {
  const queryBus = new QueryBus({ middleware: [when(Search, overlap({ strategy: "switch" }))] });

  queryBus.register(Search, async ({ text }, { signal }) => {
    print(`searching ${text}`);
    signal.addEventListener("abort", () => print(`stopped searching ${text}`));
    await new Promise((resolve) => setTimeout(resolve, 10));
    return cities.filter((city) => city.startsWith(text));
  });

  // The handler above ignores its signal, so that its late result is dropped and reported here.
  queryBus.faults$.subscribe(({ kind, source }) => print(`${kind}: ${source}`));

  const search = (text: string): Promise<void> =>
    queryBus.ask(new Search(text)).then(
      (found) => print(`${text}: ${found.join(", ")}`),
      (error: Error) => print(`${text}: ${error.name}`),
    );
  await Promise.all(["B", "Be", "Ber"].map(search));

  const commandBus = new CommandBus({ middleware: [overlap({ strategy: "exhaust" })] });
  commandBus.register(Save, () => new Promise((resolve) => setTimeout(resolve, 10)));
  const [first, doubleClick] = await Promise.allSettled([
    commandBus.dispatch(new Save()),
    commandBus.dispatch(new Save()),
  ]);
  print(`first save ${first.status}, double click ${doubleClick.status}`);
}

runWhenStarted("15-latest-search-wins.ts", main);
