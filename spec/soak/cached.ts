// A million different queries through a cache that keeps a hundred results.
import { Query, QueryBus, CommandBus, when } from "cqrx";
import { caching, type CacheEntry } from "cqrx/middleware";
import { LRUCache } from "lru-cache";
import { growthOf, report } from "./heap.js";

class Find extends Query<string> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

const store = new LRUCache<string, CacheEntry>({ max: 100 });
const bus = new QueryBus({ middleware: [when(Find, caching({ store }))] });
let answer!: (text: string) => void;
const held = new Promise<string>((resolve) => (answer = resolve));
bus.register(Find, ({ id }) => (id === "held" ? held : `found ${id}`));

const first = bus.ask(new Find("held"));
const cached = await growthOf(1_000_000, (n) => bus.ask(new Find(`id ${n}`)));
const size = store.size;
answer("at last");
await report(
  { ...cached, size, held: await first, again: await bus.ask(new Find("held")) },
  new CommandBus(),
);
