// Plain CommonJS on Node.
const assert = require("node:assert/strict");
const { Command, CommandBus, HandlerNotFoundError, Query, QueryBus } = require("cqrx");
const { timeLimit } = require("cqrx/middleware");
const { metering, tracing } = require("cqrx/opentelemetry");
const { logTo } = require("cqrx/pino");
const { recording } = require("cqrx/testing");
const { pino } = require("pino");

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
  class DeleteUser extends Command {}
  await assert.rejects(commandBus.dispatch(new DeleteUser()), HandlerNotFoundError);

  // The other entry points know the buses of the first.
  const written = [];
  const wholeBus = new CommandBus({ middleware: [timeLimit(1_000), tracing(), metering()] });
  const recorded = recording(wholeBus);
  logTo(wholeBus, pino({}, { write: (line) => written.push(JSON.parse(line).msg) }));
  wholeBus.register(CreateUser, () => undefined);
  await wholeBus.dispatch(new CreateUser("u1", "x@y.com"));
  assert.deepEqual(written, ["CreateUser fulfilled"]);
  assert.equal(recorded.outcomesOf(CreateUser).length, 1);
  await Promise.all([commandBus.close(), wholeBus.close()]);
  console.log(`done on ${process.version}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
