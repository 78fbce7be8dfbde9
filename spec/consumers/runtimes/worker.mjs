// Bundled by esbuild, and run by `workerd test`: a runtime without Node's modules.
import { Command, CommandBus, Query, QueryBus } from "cqrx";
import { eventStream } from "cqrx/http";
import { overlap, timeLimit } from "cqrx/middleware";
import { delay, of } from "rxjs";

class CreateUser extends Command {}
class CountUsers extends Query {}

function equal(actual, expected) {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`);
}

export default {
  async test() {
    let users = 0;
    const outcomes = [];
    // A bus for each request, because one request of a worker must not wait for another.
    const commandBus = new CommandBus({ middleware: [overlap({ strategy: "concat" }), timeLimit(10_000)] });
    const queryBus = new QueryBus();
    commandBus.outcomes$.subscribe(({ status, envelope }) =>
      outcomes.push(`${envelope.meta.name} ${status}`),
    );
    commandBus.register(CreateUser, async () => {
      await null;
      users++;
    });
    queryBus.register(CountUsers, () => of(users).pipe(delay(1)));
    await Promise.all([commandBus.dispatch(new CreateUser()), commandBus.dispatch(new CreateUser())]);
    equal(await queryBus.ask(new CountUsers()), 2);
    const events = eventStream(queryBus.ask$(new CountUsers()), {
      request: new Request("http://localhost/"),
    });
    equal(await events.text(), ": connected\n\ndata: 2\n\n");
    equal(outcomes.join(), "CreateUser fulfilled,CreateUser fulfilled");
    equal((await commandBus.close()).aborted.length, 0);
    console.log("done on workerd");
  },
};
