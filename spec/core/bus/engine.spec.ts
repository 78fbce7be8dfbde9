import { expect, it } from "@jest/globals";
import { Query, QueryBus, type Outcome } from "cqrx";
import { firstValueFrom, of, toArray } from "rxjs";

class Count extends Query<number> {}

it("ask$ emits every value of a stream, ask the first one", async () => {
  const bus = new QueryBus();
  const outcomes: Outcome[] = [];
  bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  bus.register(Count, () => of(1, 2, 3));
  expect(await firstValueFrom(bus.ask$(new Count()).pipe(toArray()), { defaultValue: [] })).toEqual([
    1, 2, 3,
  ]);
  expect(await bus.ask(new Count())).toBe(1);
  expect(outcomes).toMatchObject([
    { status: "fulfilled", value: 3 },
    { status: "fulfilled", value: 1 },
  ]);
});
