import { describe, expect, it } from "@jest/globals";
import { CommandBus, InvalidOptionsError, QueryBus } from "cqrx";
import { retrying } from "cqrx/middleware";

class Work {}

describe("the option attempt", () => {
  it("tells a handler and the observers that the message was tried before", async () => {
    const bus = new CommandBus();
    const seen: number[] = [];
    bus.outcomes$.subscribe(({ attempts }) => seen.push(attempts));
    bus.register(Work, (_, { attempt }) => void seen.push(attempt));
    await bus.dispatch(new Work(), { attempt: 3 });
    await bus.dispatch(new Work());
    expect(seen).toEqual([3, 3, 1, 1]);
  });

  it("is where retries go on counting, also in the background", async () => {
    const seen: number[] = [];
    const handler = (_: Work, { attempt }: { readonly attempt: number }): void => {
      seen.push(attempt);
      if (attempt < 4) throw new Error("again");
    };
    const retried = new CommandBus({ middleware: [retrying({ count: 2 })] });
    retried.outcomes$.subscribe(({ attempts }) => seen.push(attempts));
    retried.register(Work, handler);
    await retried.dispatch(new Work(), { attempt: 2 });
    expect(seen.splice(0)).toEqual([2, 3, 4, 4]);

    const background = new CommandBus({ background: { retry: { count: 2 } } });
    background.outcomes$.subscribe(({ attempts }) => seen.push(attempts));
    background.register(Work, handler);
    background.enqueue(new Work(), { attempt: 3 });
    await background.drain();
    expect(seen).toEqual([3, 4, 4]);
  });

  it.each([0, -1, 1.5, NaN, "2", null])("refuses %p", async (attempt) => {
    const bus = new QueryBus();
    bus.register(Work, () => 1);
    await expect(bus.ask(new Work(), { attempt: attempt as number })).rejects.toBeInstanceOf(
      InvalidOptionsError,
    );
    expect(await bus.ask(new Work(), { attempt: 1 })).toBe(1);
  });
});
