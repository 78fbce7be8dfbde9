// watch() keeps a query's result up to date: here a dashboard in the terminal, asked again as commands succeed.
// Run: npm run example 22
// Look at: a failed order changes nothing, and three orders in one go are one line; both screens share each run of the query.
import { CommandBus, defineCommand, fulfilled, ofType, Query, QueryBus } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class PlaceOrder extends defineCommand("PlaceOrder", z.object({ euros: z.number() })) {}

interface Sales {
  readonly orders: number;
  readonly euros: number;
}

class GetSales extends Query<Sales> {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();
  const orders: number[] = [];

  commandBus.register(PlaceOrder, async ({ euros }) => {
    if (euros <= 0) throw new Error("nothing was ordered");
    await Promise.resolve();
    orders.push(euros);
  });

  let runs = 0;
  queryBus.register(
    GetSales,
    () => {
      runs++;
      return { orders: orders.length, euros: orders.reduce((sum, euros) => sum + euros, 0) };
    },
    // Declared once, for all watchers.
    { refreshOn: commandBus.outcomes$.pipe(ofType(PlaceOrder), fulfilled()) },
  );

  const bar = queryBus
    .watch(new GetSales())
    .subscribe(({ euros }) => print(`bar    |${"#".repeat(euros / 10).padEnd(11)}|`));
  const figures = queryBus
    .watch(new GetSales())
    .subscribe(({ orders, euros }) => print(`figures ${orders} orders, ${euros} euros`));

  await commandBus.dispatch(new PlaceOrder({ euros: 30 }));
  await commandBus
    .dispatch(new PlaceOrder({ euros: 0 }))
    .catch((error: Error) => print(`refused: ${error.message}`));
  await Promise.all([10, 20, 50].map((euros) => commandBus.dispatch(new PlaceOrder({ euros }))));
  bar.unsubscribe();
  figures.unsubscribe();

  // The same as a loop, for one that takes its time: it sees the latest result, and break ends the watch.
  for await (const { orders } of queryBus.watch(new GetSales())) {
    print(`the loop sees ${orders} orders`);
    if (orders >= 6) break;
    await Promise.all([5, 5].map((euros) => commandBus.dispatch(new PlaceOrder({ euros }))));
  }
  print(`the query ran ${runs} times`);
}

runWhenStarted("22-live-dashboard.ts", main);
