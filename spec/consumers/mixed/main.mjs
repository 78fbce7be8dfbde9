// Both formats in one process, as happens when an application and one of its dependencies load the library differently.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import * as esm from "cqrx";

const cjs = createRequire(import.meta.url)("cqrx");
assert.notEqual(cjs.CommandBus, esm.CommandBus, "these are two copies");

for (const [own, other] of [
  [esm, cjs],
  [cjs, esm],
]) {
  class CreateUser extends other.Command {
    constructor(userId) {
      super();
      this.userId = userId;
    }
  }
  class CountUsers extends other.Query {}
  class UserCreated extends other.DomainEvent {}

  // Messages made with one copy travel on the buses of the other.
  const users = [];
  const outcomes = [];
  const commandBus = new own.CommandBus();
  const queryBus = new own.QueryBus();
  const eventBus = new own.EventBus();
  commandBus.outcomes$.subscribe(({ status }) => outcomes.push(status));
  commandBus.register(CreateUser, ({ userId }) => void users.push(userId));
  queryBus.register(CountUsers, () => users.length);
  eventBus.register(UserCreated, () => void users.push("again"));

  const done = commandBus.dispatch(new CreateUser("u1"));
  assert.deepEqual(users, ["u1"], "the store has changed before anything was awaited");
  await done;
  assert.deepEqual(outcomes, ["fulfilled"]);
  await eventBus.publish(new UserCreated());
  assert.equal(await queryBus.ask(new CountUsers()), 2);

  // Errors made by one copy are recognised with the classes of the other.
  class Unknown extends own.Command {}
  const error = await commandBus.dispatch(new Unknown()).catch((reason) => reason);
  assert.ok(error instanceof other.CqrsError, "CqrsError");
  assert.ok(error instanceof other.HandlerNotFoundError, "HandlerNotFoundError");
  assert.ok(!(error instanceof other.BusClosedError), "not BusClosedError");
  assert.equal(error.code, "HANDLER_NOT_FOUND");
  assert.ok(!(new Error("HANDLER_NOT_FOUND") instanceof other.CqrsError), "a foreign error");
  await Promise.all([commandBus.close(), queryBus.close(), eventBus.close()]);
}
console.log(`done on ${process.version}`);
