import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  command,
  CommandBus,
  defaultCommandBus,
  defaultQueryBus,
  HandlerNotFoundError,
  Query,
  query,
  QueryBus,
  registerHandlers,
} from "cqrx";

class Rename {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

class Greet extends Query<string> {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

describe("decorators and default buses", () => {
  it("decorates a method so that an override takes its place, decorated or not", async () => {
    class Do {}
    for (const decorated of [false, true]) {
      const bus = new CommandBus();
      const log: string[] = [];
      class Parent {
        @command(Do, bus)
        run(_: Do): void {
          log.push("parent");
        }
      }
      class Plain extends Parent {
        override run(_: Do): void {
          log.push("child");
        }
      }
      class Decorated extends Parent {
        @command(Do, bus)
        override run(_: Do): void {
          log.push("child");
        }
      }
      void (decorated ? new Decorated() : new Plain());
      await bus.dispatch(new Do());
      expect(log).toEqual(["child"]);
    }
  });

  beforeEach(() => {
    defaultCommandBus.reset();
    defaultQueryBus.reset();
  });

  it("L12 command(Type) registers a function on the default command bus and returns it unchanged", async () => {
    const names: string[] = [];
    const rename = ({ name }: Rename): void => void names.push(name);

    expect(command(Rename)(rename)).toBe(rename);
    await defaultCommandBus.dispatch(new Rename("ada"));
    expect(names).toEqual(["ada"]);
  });

  it("L12 @command(Type) on a method marks it, and registerHandlers registers it, bound to the instance", async () => {
    class Names {
      readonly all: string[] = [];

      @command(Rename)
      rename({ name }: Rename): void {
        this.all.push(name);
      }
    }

    await expect(defaultCommandBus.dispatch(new Rename("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
    const names = new Names();
    await expect(defaultCommandBus.dispatch(new Rename("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
    registerHandlers(names);
    await defaultCommandBus.dispatch(new Rename("grace"));
    expect(names.all).toEqual(["grace"]);
  });

  it("L12 @command(Type) on a class registers an instance by its handle method", async () => {
    const names: string[] = [];

    @command(Rename)
    class RenameHandler {
      readonly #suffix = "!";

      handle({ name }: Rename): void {
        names.push(name + this.#suffix);
      }
    }

    await defaultCommandBus.dispatch(new Rename("ada"));
    expect(names).toEqual(["ada!"]);
    expect(new RenameHandler()).toBeInstanceOf(RenameHandler);
  });

  it("L13 query(Type) registers an asynchronous function on the default query bus", async () => {
    query(Greet)(async ({ name }) => {
      await Promise.resolve();
      return `hello ${name}`;
    });

    expect(await defaultQueryBus.ask(new Greet("ada"))).toBe("hello ada");
  });

  it("L13 @query(Type) on a method and on a class registers on the default query bus", async () => {
    class Shout extends Greet {}
    class Greeter {
      readonly #greeting = "hello";

      @query(Greet)
      async greet({ name }: Greet): Promise<string> {
        await Promise.resolve();
        return `${this.#greeting} ${name}`;
      }
    }
    @query(Shout)
    class Shouter {
      handle({ name }: Shout): string {
        return name.toUpperCase();
      }
    }

    registerHandlers(new Greeter());
    expect(Shouter.name).toBe("Shouter");
    expect(await defaultQueryBus.ask(new Greet("ada"))).toBe("hello ada");
    expect(await defaultQueryBus.ask(new Shout("ada"))).toBe("ADA");
  });

  it("L14 both decorators register functions on the explicit bus given, and not on the default one", async () => {
    const commandBus = new CommandBus();
    const queryBus = new QueryBus();
    const names: string[] = [];
    command(Rename, commandBus)(({ name }) => void names.push(name));
    query(Greet, queryBus)(({ name }) => `hello ${name}`);

    await commandBus.dispatch(new Rename("ada"));
    expect(names).toEqual(["ada"]);
    expect(await queryBus.ask(new Greet("ada"))).toBe("hello ada");
    await expect(defaultCommandBus.dispatch(new Rename("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
    await expect(defaultQueryBus.ask(new Greet("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
  });

  it("L14 both decorators register methods and classes on the explicit bus given, and not on the default one", async () => {
    const commandBus = new CommandBus();
    const queryBus = new QueryBus();
    class Names {
      last = "";

      @command(Rename, commandBus)
      rename({ name }: Rename): void {
        this.last = name;
      }
    }
    @query(Greet, queryBus)
    class Greeter {
      handle({ name }: Greet): string {
        return `hello ${name}`;
      }
    }
    const names = new Names();

    await commandBus.dispatch(new Rename("ada"));
    expect(names.last).toBe("ada");
    expect(await queryBus.ask(new Greet("ada"))).toBe("hello ada");
    expect(Greeter.name).toBe("Greeter");
    expect(defaultCommandBus.describe().handlers).toEqual([]);
    expect(defaultQueryBus.describe().handlers).toEqual([]);
  });
});
