import { describe, expect, it } from "@jest/globals";
import { CommandBus, HandlerNotFoundError, InvalidMessageError } from "cqrx";
import { from, mergeMap, Observable, of, range } from "rxjs";

class CreateUser {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }
}

class Add {
  readonly amount: number;

  constructor(amount: number) {
    this.amount = amount;
  }
}

const createUser = new CreateUser("u1", "a@b.com");

describe("the command bus", () => {
  it("L01 a synchronous command handler has written the store, before and after awaiting", async () => {
    const store = new Map<string, string>();
    const bus = new CommandBus();
    bus.register(CreateUser, ({ userId, email }) => void store.set(userId, email));

    const dispatched = bus.dispatch(createUser);
    expect(store).toEqual(new Map([["u1", "a@b.com"]]));
    await dispatched;
    expect(store).toEqual(new Map([["u1", "a@b.com"]]));
  });

  it("L02 an asynchronous command handler has written the store after awaiting", async () => {
    const store = new Map<string, string>();
    const bus = new CommandBus();
    bus.register(CreateUser, async ({ userId, email }) => {
      await Promise.resolve();
      store.set(userId, email);
    });

    const dispatched = bus.dispatch(createUser);
    expect(store.size).toBe(0);
    await dispatched;
    expect(store).toEqual(new Map([["u1", "a@b.com"]]));
  });

  it("L02 a handler that returns an Observable is subscribed to, and dispatch waits for its completion", async () => {
    const seen: string[] = [];
    let complete = (): void => {};
    const bus = new CommandBus();
    bus.register(
      CreateUser,
      ({ email }) =>
        new Observable<string>((subscriber) => {
          seen.push(`wrote ${email}`);
          subscriber.next("progress");
          complete = () => subscriber.complete();
        }),
    );

    const dispatched = bus
      .dispatch(createUser)
      .then((result: unknown) => seen.push(`done ${String(result)}`));
    expect(seen).toEqual(["wrote a@b.com"]);
    await Promise.resolve();
    expect(bus.inFlight).toBe(1);
    complete();
    await dispatched;
    expect(seen).toEqual(["wrote a@b.com", "done undefined"]);
    expect(bus.inFlight).toBe(0);
  });

  it("L02 a handler that returns an async iterable is drained to its end", async () => {
    const steps: string[] = [];
    async function* write(email: string): AsyncGenerator<string> {
      steps.push("first");
      yield "half";
      await Promise.resolve();
      steps.push(email);
    }
    const bus = new CommandBus();
    bus.register(CreateUser, ({ email }) => write(email));

    await expect(bus.dispatch(createUser)).resolves.toBeUndefined();
    expect(steps).toEqual(["first", "a@b.com"]);
  });

  it("L03 an empty command bus rejects with HandlerNotFoundError", async () => {
    const bus = new CommandBus();

    await expect(bus.dispatch(createUser)).rejects.toBeInstanceOf(HandlerNotFoundError);
    await expect(bus.dispatch(createUser)).rejects.toMatchObject({
      name: "HandlerNotFoundError",
      code: "HANDLER_NOT_FOUND",
      messageType: "CreateUser",
    });
  });

  it("L03 dispatch$ of a type without a handler emits an error notification and no value", () => {
    const notifications: unknown[] = [];
    new CommandBus().dispatch$(createUser).subscribe({
      next: (value) => notifications.push(value),
      error: (error: unknown) => notifications.push(error),
    });

    expect(notifications).toEqual([expect.any(HandlerNotFoundError)]);
  });

  it.each([null, undefined])(
    "L04 dispatching %s rejects with InvalidMessageError and does not throw",
    async (nothing) => {
      const bus = new CommandBus();
      let dispatched: Promise<void> | undefined;

      expect(() => {
        dispatched = bus.dispatch(nothing as unknown as object);
        dispatched.catch(() => {});
      }).not.toThrow();
      await expect(dispatched).rejects.toBeInstanceOf(InvalidMessageError);
    },
  );

  it("L05 an error that a synchronous handler throws arrives by identity", async () => {
    const boom = new Error("boom");
    const bus = new CommandBus();
    bus.register(CreateUser, () => {
      throw boom;
    });

    const reason: unknown = await bus.dispatch(createUser).catch((error: unknown) => error);
    expect(reason).toBe(boom);
    expect(boom.message).toBe("boom");
  });

  it("L05 an error that an asynchronous handler rejects with arrives by identity", async () => {
    const boom = new Error("boom");
    const bus = new CommandBus();
    bus.register(CreateUser, () => Promise.reject(boom));

    const reason: unknown = await bus.dispatch(createUser).catch((error: unknown) => error);
    expect(reason).toBe(boom);
  });
});

describe("concurrent dispatches", () => {
  function counting(): { bus: CommandBus; log: string[]; total: () => number } {
    let sum = 0;
    const log: string[] = [];
    const bus = new CommandBus();
    bus.register(Add, async ({ amount }) => {
      log.push("start");
      await Promise.resolve();
      sum += amount;
      log.push("end");
    });
    return { bus, log, total: () => sum };
  }

  const interleaved = [...Array<string>(50).fill("start"), ...Array<string>(50).fill("end")];

  it("L11 fifty dispatches awaited together interleave and all take effect", async () => {
    const { bus, log, total } = counting();

    await Promise.all(Array.from({ length: 50 }, () => bus.dispatch(new Add(1))));
    expect(total()).toBe(50);
    expect(log).toEqual(interleaved);
  });

  it("L11 fifty dispatches through mergeMap interleave and all take effect", async () => {
    const { bus, log, total } = counting();

    await new Promise<void>((complete, error) => {
      from(range(0, 50))
        .pipe(mergeMap(() => bus.dispatch$(new Add(1))))
        .subscribe({ complete, error });
    });
    expect(total()).toBe(50);
    expect(log).toEqual(interleaved);
  });

  it("L11 concatMap of dispatch$ runs the same fifty one after the other", async () => {
    const { bus, log } = counting();

    await new Promise<void>((complete, error) => {
      of(...Array.from({ length: 50 }, () => new Add(1)))
        .pipe(mergeMap((add) => bus.dispatch$(add), 1))
        .subscribe({ complete, error });
    });
    expect(log).toEqual(Array.from({ length: 50 }, () => ["start", "end"]).flat());
  });
});
