// inspect() looks at buses: in a browser by a link, or in one HTML file, which this example writes.
// Run: npm run example 26
// Look at: secrets are never kept; the conversation is whole; the file opens in a browser without a network.
import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandBus, EventBus, Query, QueryBus } from "cqrx";
import { inspect } from "cqrx/inspector";
import { runWhenStarted, type Print } from "./support/run.js";

class PlaceOrder {
  readonly sku: string;
  readonly card: string;

  constructor(sku: string, card: string) {
    this.sku = sku;
    this.card = card;
  }
}

class OrderPlaced {
  readonly sku: string;

  constructor(sku: string) {
    this.sku = sku;
  }
}

class GetStock extends Query<number> {
  readonly sku: string;

  constructor(sku: string) {
    super();
    this.sku = sku;
  }
}

export async function main(print: Print): Promise<void> {
  const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
  queries.register(GetStock, ({ sku }) => (sku === "tea" ? 3 : 0));
  commands.register(PlaceOrder, async ({ sku }, context) => {
    if ((await queries.ask(new GetStock(sku), { causedBy: context })) === 0)
      throw new RangeError(`${sku} is out of stock`);
    await events.publish(new OrderPlaced(sku), { causedBy: context });
  });

  const inspector = inspect({ commands, queries, events });
  const { url } = await inspector.listen();
  print(`the page is at ${url?.replace(/\d{4,5}\/#.*/, "<port>/#<token>")}`);

  await commands.dispatch(new PlaceOrder("tea", "4000 0000 0000 0002"));
  await commands.dispatch(new PlaceOrder("milk", "4000 0000 0000 0002")).catch(() => undefined);
  for (const { bus, name, state, payload, error, causationId } of inspector.messages())
    print(
      `${causationId === undefined ? "" : "  "}${bus} ${name} ${state} ${payload} ${error?.message ?? ""}`.trimEnd(),
    );

  const file = join(mkdtempSync(join(tmpdir(), "cqrx-")), "run.html");
  writeFileSync(file, inspector.toHTML());
  print(`run.html has more than 10 kB: ${statSync(file).size > 10_000}`);
  await inspector.close();
}

runWhenStarted("26-inspector.ts", main);
