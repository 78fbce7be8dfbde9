// TypeScript that a runtime runs as it is: on Node 24 by stripping the types, on Bun, and on Deno after `--check`.
import assert from "node:assert/strict";
import {
  Command,
  CommandBus,
  DomainEvent,
  EventBus,
  ofType,
  Query,
  QueryBus,
  saga,
  type Envelope,
} from "cqrx";
import { eventStream } from "cqrx/http";
import { caching, overlap, timeLimit } from "cqrx/middleware";
import { recording, settleAll } from "cqrx/testing";
import { delay, map } from "rxjs";

class CreateUser extends Command {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

class UserCreated extends DomainEvent {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

class Welcome extends Command {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

class GetUserEmail extends Query<string | null> {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

const emails = new Map<string, string>();
const commandBus = new CommandBus({ middleware: [overlap({ strategy: "concat" }), timeLimit(10_000)] });
const queryBus = new QueryBus({ middleware: [caching({ store: new Map() })] });
const eventBus = new EventBus();
const recorded = recording(commandBus);

commandBus.register(CreateUser, ({ userId, email }, context) => {
  emails.set(userId, email);
  void eventBus.publish(new UserCreated(userId), { causedBy: context });
});
const welcomed = new Promise<Envelope<Welcome>>((resolve) => {
  commandBus.register(Welcome, (_, { envelope }) => resolve(envelope));
});
queryBus.register(GetUserEmail, async ({ userId }) => emails.get(userId) ?? null);
saga(eventBus, commandBus, (events$) =>
  events$.pipe(
    ofType(UserCreated),
    delay(1),
    map(({ payload }) => new Welcome(payload.userId)),
  ),
);

const done: Promise<void> = commandBus.dispatch(new CreateUser("u1", "x@y.com"));
assert.equal(emails.get("u1"), "x@y.com", "the store has changed before anything was awaited");
await done;
const email: string | null = await queryBus.ask(new GetUserEmail("u1"));
assert.equal(email, "x@y.com");
const { meta, payload } = await welcomed;
assert.equal(payload.userId, "u1");
assert.equal(typeof meta.causationId, "string", "the runtime carries the cause of a command through a timer");
const events: Response = eventStream(queryBus.ask$(new GetUserEmail("u1")), {
  request: new Request("http://localhost/"),
});
assert.equal(await events.text(), ': connected\n\ndata: "x@y.com"\n\n');
await settleAll(commandBus, queryBus, eventBus);
assert.deepEqual(
  recorded.outcomes.map(({ status }) => status),
  ["fulfilled", "fulfilled"],
);
assert.deepEqual(recorded.faults, []);
await Promise.all([eventBus, commandBus, queryBus].map((bus) => bus.close()));

// @ts-expect-error the result type comes from the query
const wrong: Promise<number> = new QueryBus().ask(new GetUserEmail("u1"));
await assert.rejects(wrong);
const { Deno, Bun } = globalThis as { Deno?: { version: { deno: string } }; Bun?: { version: string } };
console.log(
  `done on ${Deno ? `Deno ${Deno.version.deno}` : Bun ? `Bun ${Bun.version}` : `Node ${process.versions.node}`}`,
);
