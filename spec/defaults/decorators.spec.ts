import { beforeEach, describe, expect, it } from "@jest/globals";
import * as cqrx from "cqrx";
import {
  CommandBus,
  defaultCommandBus,
  defaultEventBus,
  defaultQueryBus,
  EventBus,
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  InvalidHandlerError,
  InvalidOptionsError,
  QueryBus,
  registerHandlers,
} from "cqrx";
import { asFunctions, legacy, run, standard, type Compiler } from "./compilers.js";

const messages = `
import { Command, command, CommandBus, DomainEvent, event, Query, query } from "cqrx";

export class Create extends Command { constructor(public name: string) { super(); } }
export class Remove extends Command { constructor(public name: string) { super(); } }
export class Count extends Query<number> {}
export class Created extends DomainEvent { constructor(public name: string) { super(); } }
`;

interface Messages {
  readonly Create: new (name: string) => cqrx.Command;
  readonly Remove: new (name: string) => cqrx.Command;
  readonly Count: new () => cqrx.Query<number>;
  readonly Created: new (name: string) => cqrx.DomainEvent;
}

function load<Exports>(compile: Compiler, code: string): Exports & Messages {
  return run(compile(messages + code), (name) => (name === "cqrx" ? cqrx : undefined));
}

function buses(): { commandBus: CommandBus; queryBus: QueryBus; eventBus: EventBus } {
  return { commandBus: new CommandBus(), queryBus: new QueryBus(), eventBus: new EventBus() };
}

function errorOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

const both = [
  ...standard.map(([name, compile]) => [`TC39 by ${name}`, compile] as const),
  ...legacy.map(([name, compile]) => [`legacy by ${name}`, compile] as const),
];

beforeEach(() => {
  for (const bus of [defaultCommandBus, defaultQueryBus, defaultEventBus]) bus.reset();
});

describe.each(both)("decorators, %s", (_, compile) => {
  const users = `
    export class Users {
      names: string[];
      constructor(names: string[]) { this.names = names; }
      @command(Create)
      create(message: Create) { this.names.push(message.name); }
      @command(Remove)
      async remove(message: Remove) { this.names = this.names.filter((name) => name !== message.name); }
      @query(Count)
      count() { return this.names.length; }
      @event(Created)
      @event(Created.prototype.constructor as typeof Created)
      greet(message: Created) { this.names.push("hello " + message.name); }
      helper() {}
    }`;

  interface Users {
    names: string[];
    create(message: unknown): void;
  }

  it("mark methods, which registerHandlers registers on the buses given", async () => {
    const { Users, Create, Remove, Count, Created } = load<{ Users: new (names: string[]) => Users }>(
      compile,
      users,
    );
    const given = buses();
    const instance = new Users(["ada"]);
    await expect(given.commandBus.dispatch(new Create("x"))).rejects.toBeInstanceOf(HandlerNotFoundError);

    const registration = registerHandlers(instance, given);
    await given.commandBus.dispatch(new Create("grace"));
    expect(await given.queryBus.ask(new Count())).toBe(2);
    await given.commandBus.dispatch(new Remove("ada"));
    await given.eventBus.publish(new Created("bob"));
    // Marked twice for one type, the method is registered once.
    expect(instance.names).toEqual(["grace", "hello bob"]);
    expect(given.commandBus.describe().handlers).toEqual([
      { messageType: "Create", handlers: ["Users.create"] },
      { messageType: "Remove", handlers: ["Users.remove"] },
    ]);
    expect(defaultCommandBus.describe().handlers).toEqual([]);

    registration.unsubscribe();
    for (const bus of Object.values(given)) expect(bus.describe().handlers).toEqual([]);
  });

  it("register on the default buses where none is given", async () => {
    const { Users, Create, Count } = load<{ Users: new (names: string[]) => Users }>(compile, users);
    const { queryBus } = buses();
    const registration = registerHandlers(new Users([]), { queryBus });
    await defaultCommandBus.dispatch(new Create("ada"));
    expect(await queryBus.ask(new Count())).toBe(1);
    await expect(defaultQueryBus.ask(new Count())).rejects.toBeInstanceOf(HandlerNotFoundError);
    registration.unsubscribe();
  });

  it("keep instances apart, and classes that share a base", async () => {
    const { First, Second, Create } = load<Record<"First" | "Second", new () => Users>>(
      compile,
      `class Base { names: string[] = [];
         @command(Create) create(message: Create) { this.names.push(this.constructor.name + message.name); } }
       export class First extends Base {}
       export class Second extends Base { other() {} @command(Remove) remove() {} }`,
    );
    const [one, two] = [buses(), buses()];
    const [first, second] = [new First(), new Second()];
    registerHandlers(first, one);
    registerHandlers(second, two);
    await one.commandBus.dispatch(new Create("1"));
    await two.commandBus.dispatch(new Create("2"));
    expect([first.names, second.names]).toEqual([["First1"], ["Second2"]]);
    expect(one.commandBus.describe().handlers).toHaveLength(1);
    expect(two.commandBus.describe().handlers).toHaveLength(2);
  });

  it("let an override take the place of a method, decorated or not", async () => {
    const { Plain, Decorated, Create } = load<Record<"Plain" | "Decorated", new () => Users>>(
      compile,
      `class Base { names: string[] = []; @command(Create) create() { this.names.push("base"); } }
       export class Plain extends Base { create() { this.names.push("plain"); } }
       export class Decorated extends Base { @command(Create) create() { this.names.push("decorated"); } }`,
    );
    for (const [Type, name] of [
      [Plain, "plain"],
      [Decorated, "decorated"],
    ] as const) {
      const { commandBus } = buses();
      const instance = new Type();
      registerHandlers(instance, { commandBus });
      await commandBus.dispatch(new Create("x"));
      expect(instance.names).toEqual([name]);
    }
  });

  it("stand beside decorators that replace the method", async () => {
    const { Users, Create } = load<{ Users: new () => Users }>(
      compile,
      `const loud = (method: any, _: any, descriptor?: any): any => {
         const run = descriptor?.value ?? method;
         const replaced = function (this: any, message: any) { this.names.push("loud"); return run.call(this, message); };
         return descriptor ? { ...descriptor, value: replaced } : replaced;
       };
       export class Users { names: string[] = [];
         @loud @command(Create) above(message: Create) { this.names.push(message.name); }
         @command(Remove) @loud below(message: Remove) { this.names.push(message.name); } }`,
    );
    const { commandBus } = buses();
    const instance = new Users();
    registerHandlers(instance, { commandBus });
    await commandBus.dispatch(new Create("ada"));
    expect(instance.names).toEqual(["loud", "ada"]);
    expect(commandBus.describe().handlers).toHaveLength(2);
  });

  it("never read getters, and see through a proxy", async () => {
    const { Users, Create } = load<{ Users: new () => Users }>(
      compile,
      `export class Users { names: string[] = [];
         get broken(): never { throw new Error("read"); }
         @command(Create) create(message: Create) { this.names.push(message.name); } }`,
    );
    const { commandBus } = buses();
    const instance = new Users();
    registerHandlers(new Proxy(instance, {}), { commandBus });
    await commandBus.dispatch(new Create("ada"));
    expect(instance.names).toEqual(["ada"]);
  });

  it("register a class at once on the default bus, by its handle method", async () => {
    const { Create, log } = load<{ log: string[] }>(
      compile,
      `export const log: string[] = [];
       @command(Create) class Handler { handle(message: Create) { log.push(message.name); } }
       export const name = Handler.name;`,
    );
    await defaultCommandBus.dispatch(new Create("ada"));
    expect(log).toEqual(["ada"]);
  });

  it("register a function at once, and return it", async () => {
    const { Create, create, log } = load<{ log: string[]; create: unknown }>(
      compile,
      `export const log: string[] = [];
       function named(message: Create) { log.push(message.name); }
       export const create = command(Create)(named) === named && command(Remove)((message) => void log.push(message.name));`,
    );
    expect(typeof create).toBe("function");
    await defaultCommandBus.dispatch(new Create("ada"));
    expect(log).toEqual(["ada"]);
  });

  it.each([
    ["a class without handle", "@command(Create) class X { run() {} }", /needs a class with a handle method/],
    [
      "a class that takes arguments",
      "@command(Create) class X { constructor(users: object) { void users; } handle() {} }",
      /a constructor without arguments; otherwise mark the method and call registerHandlers\(instance\)/,
    ],
    [
      "a static method",
      "class X { @command(Create) static run() {} }",
      /decorates methods of instances; a static method/,
    ],
    [
      "a field",
      "class X { @command(Create) run = () => {}; } new X();",
      /decorates methods and classes, not a field/,
    ],
    [
      "a getter",
      "class X { @command(Create) get run() { return () => {}; } }",
      /decorates methods and classes, not a/,
    ],
    ["no argument list", "class X { @command run() {} } new X();", /takes a message class/],
  ])("refuse %s", (_, code, text) => {
    const error = errorOf(() => load(compile, code));
    expect(error).toBeInstanceOf(InvalidHandlerError);
    expect(error.message).toMatch(text);
  });
});

describe.each(standard)("decorators with a bus, TC39 by %s", (_, compile) => {
  it("register when an instance is constructed, and not again", async () => {
    const { Users, bus, Create } = load<{ Users: new () => { names: string[] }; bus: CommandBus }>(
      compile,
      `export const bus = new CommandBus();
       export class Users { names: string[] = [];
         @command(Create, bus) create(message: Create) { this.names.push(message.name); }
         @command(Remove) remove() {} }`,
    );
    const { commandBus } = buses();
    const instance = new Users();
    registerHandlers(instance, { commandBus });
    await bus.dispatch(new Create("ada"));
    expect(instance.names).toEqual(["ada"]);
    expect(commandBus.describe().handlers).toEqual([{ messageType: "Remove", handlers: ["Users.remove"] }]);
  });

  it("mark private methods without one", async () => {
    const { Users, Create } = load<{ Users: new () => { names: string[] } }>(
      compile,
      `export class Users { names: string[] = []; @command(Create) #create(message: Create) { this.names.push(message.name); } }`,
    );
    const { commandBus } = buses();
    const instance = new Users();
    registerHandlers(instance, { commandBus });
    await commandBus.dispatch(new Create("ada"));
    expect(instance.names).toEqual(["ada"]);
    expect(commandBus.describe().handlers[0]?.handlers).toEqual(["Users.#create"]);
  });
});

describe.each(legacy)("decorators with a bus, legacy by %s", (_, compile) => {
  it("are refused on methods, and the error says what to write", () => {
    const error = errorOf(() =>
      load(compile, "const bus = new CommandBus(); class X { @command(Create, bus) create() {} }"),
    );
    expect(error).toBeInstanceOf(InvalidHandlerError);
    expect(error.message).toBe(
      "@command with a bus registers when an instance is constructed, which a decorator of experimentalDecorators " +
        "cannot see; write @command(SomeType), and registerHandlers(instance, { commandBus }).",
    );
  });
});

type Class = new (...args: object[]) => object;

/** As much of a container with dependency injection as decorators meet: it constructs classes by the types that compilers write down. */
class Container {
  readonly #types = new Map<unknown, unknown>();
  readonly #instances = new Map<Class, object>();

  /** What compilers call for each decorated class, as `Reflect.metadata` of the package reflect-metadata. */
  readonly metadata =
    (key: string, value: unknown) =>
    (target: unknown): void =>
      void (key === "design:paramtypes" && this.#types.set(target, value));

  provide(value: object): void {
    this.#instances.set(value.constructor as Class, value);
  }

  get(type: Class): object {
    const known = this.#instances.get(type);
    if (known !== undefined) return known;
    const types = (this.#types.get(type) ?? []) as Class[];
    const instance = new type(...types.map((each) => this.get(each)));
    this.#instances.set(type, instance);
    return instance;
  }
}

// esbuild writes no types down.
describe.each(legacy.filter(([name]) => name !== "esbuild"))(
  "decorators in a container, %s",
  (_, compile) => {
    it("register providers with what was injected, and nothing when one is merely made", async () => {
      const container = new Container();
      Object.assign(Reflect, { metadata: container.metadata });
      try {
        const { Users, Store, Create, Count } = load<{ Users: Class; Store: Class }>(
          compile,
          `import { QueryBus, registerHandlers } from "cqrx";
         const Injectable = () => (target: object) => {};
         @Injectable() export class Store { names: string[] = []; }
         @Injectable() export class Users {
           #handlers?: { unsubscribe(): void };
           constructor(private readonly store: Store, private readonly commandBus: CommandBus, private readonly queryBus: QueryBus) {}
           onModuleInit() { this.#handlers = registerHandlers(this, { commandBus: this.commandBus, queryBus: this.queryBus }); }
           onModuleDestroy() { this.#handlers?.unsubscribe(); }
           @command(Create) create({ name }: Create): void { this.store.names.push(name); }
           @query(Count) count(_: Count): number { return this.store.names.length; }
         }`,
        );
        const { commandBus, queryBus } = buses();
        container.provide(commandBus);
        container.provide(queryBus);
        const users = container.get(Users) as { onModuleInit(): void; onModuleDestroy(): void };
        expect(commandBus.describe().handlers).toEqual([]);
        users.onModuleInit();
        await commandBus.dispatch(new Create("ada"));
        expect(await queryBus.ask(new Count())).toBe(1);
        expect(container.get(Store)).toMatchObject({ names: ["ada"] });
        users.onModuleDestroy();
        await expect(commandBus.dispatch(new Create("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
      } finally {
        Reflect.deleteProperty(Reflect, "metadata");
      }
    });
  },
);

it("decorators work on classes that a compiler has written as functions", async () => {
  const { Users, Handler, Create, log } = run<{
    Users: new () => object;
    Handler: new () => object;
    Create: new () => object;
    log: string[];
  }>(
    asFunctions(`import { command } from "cqrx";
      export const log: string[] = [];
      export class Create {}
      export class Users { @command(Create) create() { log.push("method"); } }
      @command(Create) export class Handler { handle() { log.push("class"); } }`),
    () => cqrx,
  );
  expect(Handler.toString()).toMatch(/^function/);
  const { commandBus } = buses();
  registerHandlers(new Users(), { commandBus });
  await commandBus.dispatch(new Create());
  await defaultCommandBus.dispatch(new Create());
  expect(log).toEqual(["method", "class"]);
});

describe("registerHandlers", () => {
  const { Users, Create } = load<{ Users: new () => object }>(
    standard[0]![1],
    `export class Users { @command(Create) create() {} @event(Created) greet() {} @command(Remove) remove() {} }`,
  );

  it("registers all methods, or none", () => {
    const { commandBus, eventBus, queryBus } = buses();
    const { Remove } = load<object>(standard[0]![1], "");
    commandBus.register(Remove, () => undefined);
    const taken = commandBus.register(Create, () => undefined);
    expect(() => registerHandlers(new Users(), { commandBus, eventBus, queryBus })).toThrow(
      HandlerAlreadyRegisteredError,
    );
    taken.unsubscribe();
    expect(commandBus.describe().handlers).toHaveLength(1);
    expect(eventBus.describe().handlers).toEqual([]);
  });

  it("refuses an object without marks, and a field in the place of a method", () => {
    expect(errorOf(() => registerHandlers(new (class Plain {})())).message).toBe(
      "registerHandlers() found no method of Plain that is marked with @command(Type), @query(Type) or @event(Type).",
    );
    const replaced = Object.assign(new Users(), { create: 7 });
    expect(errorOf(() => registerHandlers(replaced, buses())).message).toBe(
      "Users.create is marked with @command(Create), but is not a method; an object has its own field of that name.",
    );
  });

  it.each<[unknown, unknown, string]>([
    [undefined, {}, "registerHandlers(): instance must be an object; received undefined."],
    [Users, {}, "registerHandlers(): instance must be an object; received a function."],
    [
      new Users(),
      { commandBus: new QueryBus() },
      "registerHandlers(): commandBus must be a CommandBus; received an object.",
    ],
    [new Users(), { queryBus: null }, "registerHandlers(): queryBus must be a QueryBus; received null."],
    [
      new Users(),
      { bus: new QueryBus() },
      "registerHandlers(): unknown option bus; pass one of commandBus, queryBus, eventBus.",
    ],
    [new Users(), null, "registerHandlers(): options must be an object; received null."],
  ])("refuses wrong arguments", (instance, given, text) => {
    const error = errorOf(() => registerHandlers(instance as object, given as never));
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toBe(text);
  });
});
