// Compiled, not run: beside the types of Node, which those of the client need.
import { CommandBus } from "cqrx";
import { natsInbox, natsTransport, type NatsTransport } from "cqrx/nats";
import { Link, type Inbox } from "cqrx/transport";

class PlaceOrder {
  constructor(readonly orderId: string) {}
}

export async function main(): Promise<void> {
  const transport: NatsTransport = await natsTransport({ servers: "127.0.0.1:4222", replicas: 3, user: "u" });
  const inbox: Inbox = await natsInbox(transport, { bucket: "orders" });
  const link = new Link(transport, { heartbeatMs: 1_000 });
  await link.serve(new CommandBus(), [PlaceOrder], { inbox, concurrency: 8 });
  // @ts-expect-error a cluster keeps one, three or five copies
  await natsTransport({ replicas: 2 });
  // @ts-expect-error the option is called until
  link.route(new CommandBus(), [PlaceOrder], { untill: "stored" });
}
