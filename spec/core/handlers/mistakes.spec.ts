import { describe, expect, it } from "@jest/globals";
import { Command, CommandBus, DomainEvent, EventBus, HandlerRegistry, Query, QueryBus } from "cqrx";

class CreateUser extends Command {}
class GetEmail extends Query<string> {}
class UserCreated extends DomainEvent {}

const textOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return "no error";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("the error for a message on the wrong bus", () => {
  const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
  const withFallback = new CommandBus({ fallback: () => undefined });

  it.each([
    [() => commandBus.dispatch(new GetEmail() as never), "GetEmail is a query; ask it on a QueryBus."],
    [
      () => commandBus.dispatch(new UserCreated() as never),
      "UserCreated is an event; publish it on an EventBus.",
    ],
    [() => withFallback.dispatch(new GetEmail() as never), "GetEmail is a query; ask it on a QueryBus."],
    [() => queryBus.ask(new CreateUser() as never), "CreateUser is a command; dispatch it on a CommandBus."],
    [() => queryBus.ask(new UserCreated() as never), "UserCreated is an event; publish it on an EventBus."],
    [
      () => eventBus.publish(new CreateUser() as never),
      "CreateUser is a command; dispatch it on a CommandBus.",
    ],
    [() => eventBus.publish(new GetEmail() as never), "GetEmail is a query; ask it on a QueryBus."],
    [
      () => commandBus.register(GetEmail as never, () => undefined),
      "GetEmail is a query; register its handler on a QueryBus.",
    ],
    [
      () => queryBus.register(UserCreated as never, () => undefined),
      "UserCreated is an event; register its handler on an EventBus.",
    ],
  ])("%s names the right one", async (mistake, text) => {
    expect(await textOf(mistake)).toBe(text);
  });
});

describe("the error for a class that is loaded twice", () => {
  const load = (name: string): new () => object => ({ [name]: class {} })[name]!;

  it("says so", async () => {
    const commandBus = new CommandBus();
    commandBus.register(load("PlaceOrder"), () => undefined);
    expect(await textOf(() => commandBus.dispatch(new (load("PlaceOrder"))()))).toBe(
      "No handler for PlaceOrder. Another class of the same name has one: loaded twice? " +
        "Register one, or give the bus a fallback.",
    );
    // Another class, or a class that is gone, is not meant.
    expect(await textOf(() => commandBus.dispatch(new (load("PlaceOrders"))()))).toMatch(
      /Nearest registered/,
    );
    commandBus.register(load("Gone"), () => undefined).unsubscribe();
    expect(await textOf(() => commandBus.dispatch(new (load("Gone"))()))).toMatch(/Nearest registered/);
  });

  it("says nothing of classes without a name", async () => {
    const commandBus = new CommandBus();
    commandBus.register(class {}, () => undefined);
    const text = await textOf(() => commandBus.dispatch(new (class {})()));
    expect(text).toMatch(/^No handler for \(anonymous class\)\. Nearest registered/);
  });
});

describe("the error for an object that is not a handler", () => {
  it.each([
    [
      { execute: () => undefined },
      "The handler of CreateUser is an object without handle(); it has execute(): call it handle().",
    ],
    [
      new (class {
        execute(): void {}
      })(),
      "The handler of CreateUser is an object without handle(); it has execute(): call it handle().",
    ],
    [
      { run: () => undefined },
      "The handler of CreateUser is an object; pass a function or an object with a handle method.",
    ],
    [undefined, "The handler of CreateUser is undefined; pass a function or an object with a handle method."],
    [null, "The handler of CreateUser is null; pass a function or an object with a handle method."],
  ])("%j says what is missing", async (handler, text) => {
    expect(await textOf(() => new CommandBus().register(CreateUser, handler as never))).toBe(text);
    expect(await textOf(() => new HandlerRegistry().register(CreateUser, handler as never))).toBe(text);
  });

  it("is not thrown for an object that has both", async () => {
    const commandBus = new CommandBus();
    let handled = 0;
    commandBus.register(CreateUser, { execute: () => undefined, handle: () => void handled++ });
    await commandBus.dispatch(new CreateUser());
    expect(handled).toBe(1);
  });
});
