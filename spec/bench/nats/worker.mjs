// The process that answers and handles: the bare contender and cqrx beside each other, on connections of their own.
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { BARE, GetPrice, MANY, OrderPlaced, PlaceOrder } from "./messages.mjs";

const [bundle, servers] = process.argv.slice(2);
const { CommandBus, EventBus, Link, natsTransport, QueryBus } = await import(bundle);

/** How many events were handled and acknowledged, which the caller is told. */
const handled = { bare: 0, cqrx: 0 };

const price = ({ lines }) => lines.reduce((sum, { count, price }) => sum + count * price, 0);

const nc = await connect({ servers });
nc.subscribe(BARE.subject, {
  queue: "bench",
  callback: (_, message) => message.respond(JSON.stringify(price(message.json()))),
});
const jsm = await jetstreamManager(nc);
await jsm.streams.add({ name: BARE.stream, subjects: [BARE.event] });
await jsm.consumers.add(BARE.stream, { durable_name: BARE.durable, ack_policy: AckPolicy.Explicit });
const consumer = await jetstream(nc).consumers.get(BARE.stream, BARE.durable);
void (async () => {
  for await (const message of await consumer.consume({ max_messages: MANY })) {
    price(message.json());
    message.ack();
    handled.bare++;
  }
})();

const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
commandBus.register(PlaceOrder, async (order) => void price(order));
queryBus.register(GetPrice, async (order) => price(order));
eventBus.register(OrderPlaced, async (order) => void price(order));
eventBus.outcomes$.subscribe(() => handled.cqrx++);
const link = new Link(await natsTransport({ servers }));
await link.serve(commandBus, [PlaceOrder]);
await link.serve(queryBus, [GetPrice]);
await link.serve(eventBus, [OrderPlaced], { group: "bench", concurrency: MANY });
setInterval(() => process.send(handled), 2);
