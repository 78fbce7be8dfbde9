// Plain CommonJS on Node.
const assert = require("node:assert/strict");
const { Command, CommandBus, HandlerNotFoundError, Query, QueryBus } = require("cqrx");

class CreateUser extends Command {
  constructor(userId, email) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

class GetUserEmail extends Query {
  constructor(userId) {
    super();
    this.userId = userId;
  }
}

async function main() {
  const emails = new Map();
  const outcomes = [];
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();
  commandBus.register(CreateUser, ({ userId, email }) => void emails.set(userId, email));
  queryBus.register(GetUserEmail, ({ userId }) => emails.get(userId) ?? null);
  commandBus.outcomes$.subscribe((outcome) => outcomes.push(outcome));

  const done = commandBus.dispatch(new CreateUser("u1", "x@y.com"));
  assert.equal(emails.get("u1"), "x@y.com", "the store has changed before anything was awaited");
  assert.equal(await done, undefined);
  assert.equal(await queryBus.ask(new GetUserEmail("u1")), "x@y.com");
  assert.deepEqual(
    outcomes.map(({ status, envelope }) => [status, envelope.meta.name]),
    [["fulfilled", "CreateUser"]],
  );
  await assert.rejects(commandBus.dispatch(new GetUserEmail("u1")), HandlerNotFoundError);
  await commandBus.close();
  console.log(`done on ${process.version}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
