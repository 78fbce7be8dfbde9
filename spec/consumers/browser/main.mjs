// Bundled by esbuild for browsers. The runner reads its answer from `globalThis.answer`.
import { Command, CommandBus, Query, QueryBus } from "cqrx";

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

const emails = new Map();
const outcomes = [];
const commandBus = new CommandBus();
const queryBus = new QueryBus();
commandBus.register(CreateUser, ({ userId, email }) => void emails.set(userId, email));
queryBus.register(GetUserEmail, ({ userId }) => emails.get(userId) ?? null);
commandBus.outcomes$.subscribe(({ status, envelope }) => outcomes.push(`${envelope.meta.name} ${status}`));

const done = commandBus.dispatch(new CreateUser("u1", "x@y.com"));
const changedAtOnce = emails.has("u1");
await done;
globalThis.answer = {
  changedAtOnce,
  email: await queryBus.ask(new GetUserEmail("u1")),
  outcomes,
  // Bundlers rename classes that have one name.
  name: commandBus.describe().name,
};
