// Compiled, not run: the entry points beside the first one, without the types of Node.
import { CommandBus, Query, QueryBus } from "cqrx";
import { eventStream, httpStatusOf } from "cqrx/http";
import { caching, retrying, timeLimit } from "cqrx/middleware";
import { metering, tracing } from "cqrx/opentelemetry";
import { Link, memoryTransport, type Transport } from "cqrx/transport";
import { delivery, faulty, recording, scenario, settleAll, type Played } from "cqrx/testing";

class CreateUser {
  constructor(readonly userId: string) {}
}

class CountUsers extends Query<number> {}

export async function main(): Promise<Played> {
  const commandBus = new CommandBus({
    middleware: [tracing(), metering(), timeLimit(1_000), retrying({ count: 2 })],
  });
  const queryBus = new QueryBus({ middleware: [caching({ store: new Map() })] });
  const recorded = recording(commandBus);
  const userIds: string[] = recorded.messagesOf(CreateUser).map(({ payload }) => payload.userId);
  commandBus.register(
    CreateUser,
    faulty(({ userId }: CreateUser) => void userIds.push(userId), { 1: "throw" }),
  );
  queryBus.register(CountUsers, () => userIds.length);
  delivery(new CountUsers()).resolve(1);
  // @ts-expect-error the result type comes from the query
  delivery(new CountUsers()).resolve("one");
  const response: Response = eventStream(queryBus.watch(new CountUsers()), {
    map: (count) => ({ data: count.toFixed() }),
  });
  const status: number = response.ok ? response.status : httpStatusOf(new Error());
  console.log(status);
  const transport: Transport = await memoryTransport();
  const link = new Link(transport, { timeoutMs: 1_000 });
  link.route(commandBus, [CreateUser], { until: "stored", key: ({ userId }) => userId });
  await link.close();
  await settleAll(commandBus, queryBus);
  return scenario(commandBus, queryBus).when(new CountUsers()).thenReturns(1);
}
