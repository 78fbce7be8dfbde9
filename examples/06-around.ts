// around() is a middleware as a function: (message, next, delivery) => result.
// Run: npm run example 06
// Look at: the first middleware is outermost; next() may be called again, or not at all.
import { around, defineQuery, QueryBus } from "cqrx";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class GetPrice extends defineQuery<number>()("GetPrice", z.object({ article: z.string() })) {}

export async function main(print: Print): Promise<void> {
  const known = new Map<string, number>();

  const logging = around<GetPrice, number>(async (query, next) => {
    print(`> ${query.article}`);
    try {
      return await next();
    } finally {
      print(`< ${query.article}`);
    }
  });

  const caching = around<GetPrice, number>(async (query, next) => {
    const price = known.get(query.article) ?? (await next());
    known.set(query.article, price);
    return price;
  });

  const secondTry = around<GetPrice, number>(async (_, next) => {
    try {
      return await next();
    } catch (error) {
      print(`  ${(error as Error).message}, trying again`);
      return next();
    }
  });

  const trimming = around<GetPrice, number>((query, next) =>
    next(new GetPrice({ article: query.article.trim() })),
  );

  const queryBus = new QueryBus({ middleware: [logging, caching, secondTry, trimming] });
  let calls = 0;
  queryBus.register(GetPrice, ({ article }) => {
    print(`  asking the shop for "${article}"`);
    if (++calls === 1) throw new Error("the shop is busy");
    return article.length * 10;
  });

  print(`${await queryBus.ask(new GetPrice({ article: " tea " }))}`);
  print(`${await queryBus.ask(new GetPrice({ article: " tea " }))}`);
}

runWhenStarted("06-around.ts", main);
