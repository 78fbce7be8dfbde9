// Both formats in one process, as happens when an application and one of its dependencies load the library differently.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { CommandBus, EventBus, QueryBus, ofType, saga } from "cqrx";
import { overlap } from "cqrx/middleware";
import { map } from "rxjs";

const require = createRequire(import.meta.url);

// Every entry point is one copy, however it is loaded.
const { exports } = JSON.parse(readFileSync(require.resolve("cqrx/package.json"), "utf8"));
for (const path of Object.keys(exports).filter((key) => key !== "./package.json")) {
  const name = `cqrx${path.slice(1)}`;
  let required;
  try {
    required = require(name);
  } catch (error) {
    // The peers of the other entry points are not installed here.
    assert.equal(error.code, "MODULE_NOT_FOUND", error);
    continue;
  }
  const { ...imported } = await import(name);
  assert.ok(Object.keys(required).length > 0, name);
  for (const [key, value] of Object.entries(required)) assert.equal(imported[key], value, `${name}: ${key}`);
}

// So an object of one dependency works with those of the other.
const cjs = require("cqrx");
const middleware = require("cqrx/middleware");
for (const [buses, limits] of [
  [{ CommandBus, EventBus, QueryBus }, middleware],
  [cjs, { overlap }],
]) {
  class CreateUser extends cjs.Command {}
  class UserCreated extends cjs.DomainEvent {}
  class CountUsers extends cjs.Query {}
  const commandBus = new buses.CommandBus({ middleware: [limits.overlap({ strategy: "concat" })] });
  const queryBus = new buses.QueryBus({ middleware: [middleware.coalescing()] });
  const eventBus = new buses.EventBus();
  let users = 0;
  commandBus.register(CreateUser, async () => {
    await null;
    if (++users > 1) throw new Error("must reach the caller");
  });
  queryBus.register(CountUsers, async () => users);
  saga(eventBus, commandBus, (events$) =>
    events$.pipe(
      ofType(UserCreated),
      map(() => new CreateUser()),
    ),
  );
  await commandBus.dispatch(new CreateUser());
  assert.equal(await queryBus.ask(new CountUsers()), 1);
  await assert.rejects(commandBus.dispatch(new CreateUser()), /must reach the caller/);
  commandBus.faults$.subscribe();
  eventBus.faults$.subscribe();
  await eventBus.publish(new UserCreated());
  await Promise.all([eventBus, commandBus, queryBus].map((bus) => bus.close()));
  assert.equal(users, 3, "the saga has heard the event");
}
console.log(`done on ${process.version}`);
