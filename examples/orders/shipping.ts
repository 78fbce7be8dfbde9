// The process that sends parcels, and counts them: npx tsx examples/orders/shipping.ts <url> <folder>
import { Subject } from "rxjs";
import { EventBus, QueryBus } from "cqrx";
import type { Link } from "cqrx/transport";
import { CountParcels, OrderPaid } from "./messages.js";
import { Ledger, linkTo, runProcess, serving, type Network } from "./process.js";
import { runWhenStarted } from "../support/run.js";

export async function startShipping(network: Network, folder: string): Promise<Link> {
  const parcels = new Ledger(folder, "parcels");
  const sent$ = new Subject<void>();

  const eventBus = new EventBus();
  eventBus.register(OrderPaid, ({ orderId }, { attempt }) => {
    parcels.write(orderId, attempt);
    sent$.next();
  });
  const queryBus = new QueryBus();
  queryBus.register(CountParcels, () => parcels.read().size, { refreshOn: sent$ });

  const link = linkTo(network);
  await link.serve(queryBus, [CountParcels]);
  await link.serve(eventBus, [OrderPaid], { ...serving(network), group: "shipping", start: "all" });
  return link;
}

runWhenStarted("shipping.ts", () => runProcess(startShipping));
