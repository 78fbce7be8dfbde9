// A circuit breaker from a library that has one, cockatiel, through around(): its policies run a function, and next() is one.
// Run: npm run example 17
// Look at: after two failures in a row the circuit opens; after the pause one call tests whether the shop is back.
import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen } from "cockatiel";
import { around, Query, QueryBus, when } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class GetPrice extends Query<number> {}

export async function main(print: Print): Promise<void> {
  const pauseMs = 20;
  // An abort is not a failure of the shop, because the caller caused it.
  const breaker = circuitBreaker(
    handleWhen((error) => error.name !== "AbortError"),
    { halfOpenAfter: pauseMs, breaker: new ConsecutiveBreaker(2) },
  );
  breaker.onBreak(() => print("the circuit opens"));
  breaker.onHalfOpen(() => print("one call may try"));
  breaker.onReset(() => print("the circuit closes"));

  const queryBus = new QueryBus({
    middleware: [
      when(
        GetPrice,
        around<GetPrice, number>((_, next) => breaker.execute(() => next())),
      ),
    ],
  });
  let up = false;
  queryBus.register(GetPrice, () => {
    print("  asking the shop");
    if (!up) throw new Error("the shop is down");
    return 42;
  });

  const ask = (): Promise<void> =>
    queryBus.ask(new GetPrice()).then(
      (price) => print(`price: ${price}`),
      (error: Error) => print(error instanceof BrokenCircuitError ? "refused at once" : error.message),
    );

  for (let times = 0; times < 3; times++) await ask();
  up = true;
  await new Promise((resolve) => setTimeout(resolve, 2 * pauseMs));
  await ask();
  await ask();
}

runWhenStarted("17-circuit-breaker.ts", main);
