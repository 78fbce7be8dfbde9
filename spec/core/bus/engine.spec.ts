import { describe, expect, it } from "@jest/globals";
import { CommandBus, Query, QueryBus, type Outcome } from "cqrx";
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

describe("a clock that throws", () => {
  it("is reported, and neither rejects a message that is observed nor keeps it from its observers", async () => {
    let stopped = true;
    const now = (): number => {
      if (stopped) throw new Error("stopped");
      return 0;
    };
    const bus = new CommandBus({ clock: { now } });
    const seen: unknown[] = [];
    bus.faults$.subscribe(({ source }) => seen.push(source));
    bus.messages$.subscribe(({ payload }) => seen.push(payload.constructor.name));
    bus.outcomes$.subscribe(({ status }) => seen.push(status));
    class Work {}
    bus.register(Work, () => undefined);
    await bus.dispatch(new Work());
    expect(seen).toEqual(["clock of CommandBus", "Work", "clock of CommandBus", "fulfilled"]);
    stopped = false;
    await bus.dispatch(new Work());
    expect(seen.slice(4)).toEqual(["Work", "fulfilled"]);
  });
});
