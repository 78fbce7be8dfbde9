import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  EventBus,
  HandlerNotFoundError,
  HandlerRegistry,
  ofType,
  QueryBus,
  when,
  type StandardSchema,
} from "cqrx";
import { authorization, validation } from "cqrx/middleware";
import { recording } from "cqrx/testing";

abstract class TaskEvent {
  constructor(readonly id = "t1") {}
}
class TaskCreated extends TaskEvent {}
class TaskMoved extends TaskEvent {}
class TaskMovedFar extends TaskMoved {}
class Unrelated {}

abstract class AdminCommand {}
class DeleteAll extends AdminCommand {}
class CreateUser {}

describe("an event handler of a class", () => {
  it("handles the events of all classes below it, each handler once, in order of registration", async () => {
    const bus = new EventBus();
    const calls: string[] = [];
    bus.register(TaskMovedFar, () => void calls.push("far"));
    bus.register(TaskEvent, () => void calls.push("task"));
    bus.register(TaskMoved, () => void calls.push("moved"));
    bus.register(TaskEvent, () => void calls.push("task again"));

    await bus.publish(new TaskMovedFar());
    expect(calls.splice(0)).toEqual(["far", "task", "moved", "task again"]);
    await bus.publish(new TaskMoved());
    expect(calls.splice(0)).toEqual(["task", "moved", "task again"]);
    await bus.publish(new TaskCreated());
    expect(calls.splice(0)).toEqual(["task", "task again"]);
    await bus.publish(new Unrelated());
    expect(calls).toEqual([]);
  });

  it("is found by events that were published before it was registered, and not after it is unregistered", async () => {
    const bus = new EventBus();
    const calls: string[] = [];
    bus.register(TaskCreated, () => void calls.push("created"));
    await bus.publish(new TaskCreated());
    const subscription = bus.register(TaskEvent, () => void calls.push("task"));
    await bus.publish(new TaskCreated());
    subscription.unsubscribe();
    await bus.publish(new TaskCreated());
    expect(calls).toEqual(["created", "created", "task", "created"]);
  });

  it("counts in a registry that is filled, and cleared, before the bus is made", async () => {
    const registry = new HandlerRegistry();
    const calls: string[] = [];
    registry.register(TaskEvent, () => void calls.push("task"));
    const bus = new EventBus({ registry });
    await bus.publish(new TaskCreated());
    registry.clear();
    await bus.publish(new TaskCreated());
    registry.register(TaskEvent, () => void calls.push("new"));
    await bus.publish(new TaskCreated());
    expect(calls).toEqual(["task", "new"]);
  });

  it("names its own error beside the errors of the handlers of other classes", async () => {
    const bus = new EventBus();
    const [base, derived] = [new Error("base"), new Error("derived")];
    bus.register(TaskEvent, () => Promise.reject(base));
    bus.register(TaskCreated, () => {
      throw derived;
    });
    await expect(bus.publish(new TaskCreated())).rejects.toMatchObject({ errors: [base, derived] });
  });

  it("may be a stream of deliveries", async () => {
    const bus = new EventBus();
    const seen: unknown[] = [];
    bus.deliveries(TaskEvent).subscribe((delivery) => {
      seen.push(delivery.message.constructor);
      delivery.resolve();
    });
    await bus.publish(new TaskCreated());
    await bus.publish(new TaskMovedFar());
    expect(seen).toEqual([TaskCreated, TaskMovedFar]);
  });

  it("handles events whose classes were compiled to ES5, and events that hide their constructor", async () => {
    const Old = function (this: object) {} as unknown as new () => TaskEvent;
    Old.prototype = Object.create(TaskEvent.prototype) as TaskEvent;
    (Old.prototype as { constructor: unknown }).constructor = Old;
    const bus = new EventBus();
    const calls: unknown[] = [];
    bus.register(TaskEvent, (event) => void calls.push(event));
    const [old, hidden] = [new Old(), Object.assign(new TaskCreated(), { constructor: "a field" })];
    await bus.publish(old);
    await bus.publish(hidden);
    expect(calls).toEqual([old, hidden]);
  });
});

describe("commands and queries", () => {
  it("keep their exact class, and the error names the base class that has a handler", async () => {
    const commandBus = new CommandBus();
    commandBus.register(AdminCommand, () => undefined);
    await expect(commandBus.dispatch(new DeleteAll())).rejects.toThrow(
      "Its base class AdminCommand has one, but handlers are found by exact class.",
    );
    const queryBus = new QueryBus();
    queryBus.register(TaskEvent, () => 1);
    await expect(queryBus.ask(new TaskCreated())).rejects.toBeInstanceOf(HandlerNotFoundError);
    commandBus.register(DeleteAll, () => undefined);
    await commandBus.dispatch(new DeleteAll());
  });
});

describe("a class stands for itself and its subclasses: it", () => {
  const denied = authorization(() => false);

  it.each([
    ["a class", AdminCommand],
    ["several", [CreateUser, AdminCommand]],
  ])("narrows when() of %s", async (_, types) => {
    const bus = new CommandBus({ middleware: [when(types as typeof CreateUser, denied)] });
    bus.register(DeleteAll, () => undefined);
    bus.register(Unrelated, () => undefined);
    await expect(bus.dispatch(new DeleteAll())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(bus.dispatch(new DeleteAll())).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await bus.dispatch(new Unrelated());
    await bus.dispatch(new Unrelated());
  });

  it.each([
    ["a predicate", () => true],
    ["a list with one", [AdminCommand, () => true]],
  ])("refuses %s in when(), because every message would be rejected", (_, types) => {
    expect(() => when(types as unknown as typeof CreateUser, denied)).toThrow(
      "when() takes a message class, or several.",
    );
  });

  it("narrows when() inside an operator", async () => {
    const inner = when(
      TaskEvent,
      around(() => {
        throw new Error("seen");
      }),
    );
    const bus = new EventBus({ middleware: [(source) => source.pipe(inner)] });
    await expect(bus.publish(new TaskMovedFar())).rejects.toThrow("seen");
    await bus.publish(new Unrelated());
  });

  it("narrows ofType() over messages, deliveries and outcomes", async () => {
    const bus = new EventBus();
    const seen: string[] = [];
    bus.messages$.pipe(ofType(TaskEvent)).subscribe(({ meta }) => seen.push(meta.name));
    bus.outcomes$
      .pipe(ofType(TaskMoved, Unrelated))
      .subscribe(({ envelope }) => seen.push(envelope.meta.name));
    await bus.publish(new TaskCreated());
    await bus.publish(new TaskMovedFar());
    await bus.publish(new Unrelated());
    expect(seen).toEqual(["TaskCreated", "TaskMovedFar", "TaskMovedFar", "Unrelated"]);
  });

  it("narrows the record of a test", async () => {
    const bus = new EventBus();
    const record = recording(bus);
    await bus.publish(new TaskMovedFar());
    expect(record.messagesOf(TaskEvent).map(({ payload }) => payload)).toEqual([new TaskMovedFar()]);
    expect(record.outcomesOf(Unrelated)).toEqual([]);
  });

  it("gives its schema to subclasses: the message's own schema first, then the nearest base class's", async () => {
    const schema = (name: string): StandardSchema => ({
      "~standard": {
        version: 1,
        vendor: "spec",
        validate: (value) => ({ value: { ...(value as object), checkedBy: name } }),
      },
    });
    class Base {
      static readonly schema: StandardSchema = schema("static of Base");
      readonly checkedBy: string = "";
    }
    class Inherits extends Base {}
    class Own extends Base {
      static override readonly schema = schema("static of Own");
    }
    class Listed extends Base {}
    class BelowListed extends Listed {}
    const handled: string[] = [];
    const bus = new EventBus({
      middleware: [validation({ schemas: new Map([[Listed, schema("schemas")]]) })],
    });
    bus.register(Base, ({ checkedBy }) => void handled.push(checkedBy));
    for (const Type of [Base, Inherits, Own, Listed, BelowListed]) await bus.publish(new Type());
    expect(handled).toEqual(["static of Base", "static of Base", "static of Own", "schemas", "schemas"]);
  });
});
