/** A process that dies in its first handler: `killed-worker.ts URL PREFIX`. */
import { CommandBus } from "cqrx";
import { natsTransport } from "cqrx/nats";
import { Link } from "cqrx/transport";
import { PlaceOrder } from "../transport/support.js";

const [, , servers, prefix] = process.argv as [string, string, string, string];
const bus = new CommandBus();
bus.register(PlaceOrder, () => process.kill(process.pid, "SIGKILL"));
const link = new Link(await natsTransport({ servers, prefix }));
await link.serve(bus, [PlaceOrder], { ackWaitMs: 1_500 });
