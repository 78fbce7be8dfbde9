import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import { retrying, timeLimit } from "cqrx/middleware";
import { settleAll } from "cqrx/testing";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { CreateUser, DeleteUser, GetName } from "./messages.js";

/** A promise and its end. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Returns true if a promise is fulfilled. */
function watched(promise: Promise<void>): { done: boolean } {
  const state = { done: false };
  void promise.then(() => (state.done = true));
  return state;
}

afterEach(() => void jest.useRealTimers());

describe("settleAll", () => {
  it("resolves when nothing is in flight, and for no buses", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      await settleAll(bus);
      await settleAll();
      await canaries(bus);
    }));

  it("waits for messages in flight, however they end", () =>
    withTraps(async () => {
      const [commandBus, queryBus] = [new CommandBus(), new QueryBus()];
      const [first, second] = [gate(), gate()];
      commandBus.register(CreateUser, () => first.opened);
      queryBus.register(GetName, async () => {
        await second.opened;
        throw new Error("no name");
      });
      void commandBus.dispatch(new CreateUser("u1"));
      const asked = queryBus.ask(new GetName()).catch((error: Error) => error.message);
      const settled = settleAll(commandBus, queryBus);
      const state = watched(settled);

      first.open();
      await macrotask();
      expect(state.done).toBe(false);
      second.open();
      await settled;

      expect(await asked).toBe("no name");
      expect([commandBus.inFlight, queryBus.inFlight]).toEqual([0, 0]);
      await canaries(commandBus, queryBus);
    }));

  it("waits for effects that begin after their cause has ended, and for the effects of those", () =>
    withTraps(async () => {
      const [commandBus, eventBus] = [new CommandBus(), new EventBus()];
      const done: string[] = [];
      commandBus.register(CreateUser, async ({ userId }) => {
        await macrotask();
        void eventBus.publish(new DeleteUser(userId));
      });
      eventBus.register(DeleteUser, async ({ userId }) => {
        await macrotask();
        await macrotask();
        done.push(userId);
        if (userId.length < 5)
          void Promise.resolve().then(() => commandBus.dispatch(new CreateUser(`${userId}+`)));
      });

      void commandBus.dispatch(new CreateUser("u"));
      await settleAll(commandBus, eventBus);

      expect(done).toEqual(["u", "u+", "u++", "u+++", "u++++"]);
      await canaries(commandBus, eventBus);
    }));

  it("waits for enqueued commands", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const done: string[] = [];
      bus.register(DeleteUser, async ({ userId }) => {
        await macrotask();
        done.push(userId);
      });
      bus.register(CreateUser, ({ userId }, context) => {
        bus.enqueue(new DeleteUser(userId), { causedBy: context });
      });

      void bus.dispatch(new CreateUser("u1"));
      await settleAll(bus);

      expect(done).toEqual(["u1"]);
    }));

  it("resolves when the bus is closed meanwhile", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(CreateUser, () => new Promise(() => undefined));
      const dispatched = bus.dispatch(new CreateUser("u1")).catch((error: Error) => error.name);
      const settled = settleAll(bus);

      await bus.close({ timeoutMs: 0 });

      await settled;
      expect(await dispatched).toBe("BusClosedError");
    }));

  it("leaves no subscription behind", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      await settleAll(bus);
      const { messages, outcomes } = bus.engine.observers;
      expect([messages.observed, outcomes.observed]).toEqual([false, false]);
    }));

  it("works under fake timers: a message that waits for a timer stays in flight until the test advances it", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({
        middleware: [
          timeLimit(10_000),
          retrying({ count: 3, delayMs: 1_000, backoff: "constant", jitter: false }),
        ],
      });
      let attempts = 0;
      bus.register(CreateUser, () => (++attempts < 3 ? Promise.reject(new Error("busy")) : undefined));
      bus.register(DeleteUser, () => new Promise(() => undefined));

      void bus.dispatch(new CreateUser("u1"));
      const limited = bus.dispatch(new DeleteUser("u1")).catch((error: Error) => error.name);
      const settled = settleAll(bus);
      const state = watched(settled);
      await jest.advanceTimersByTimeAsync(9_999);
      expect([attempts, state.done]).toEqual([3, false]);
      await jest.advanceTimersByTimeAsync(1);
      await settled;

      expect(await limited).toBe("TimeLimitError");
      expect(jest.getTimerCount()).toBe(0);
    }));
});
