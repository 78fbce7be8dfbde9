// A saga turns events into commands: a checkout that reserves, pays and ships, and undoes its steps when the payment fails.
// Run: npm run example 23
// Look at: the second order is not paid for, so its stock is released. Then the saga fails on a broken order, is restarted, and goes on.
import { map, merge } from "rxjs";
import { CommandBus, DomainEvent, EventBus, ofType, saga, type Envelope } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class OrderEvent extends DomainEvent {
  readonly orderId: string;

  constructor(orderId: string) {
    super();
    this.orderId = orderId;
  }
}
class OrderPlaced extends OrderEvent {}
class StockReserved extends OrderEvent {}
class OrderPaid extends OrderEvent {}
class PaymentRefused extends OrderEvent {}

class OrderCommand {
  readonly orderId: string;

  constructor(orderId: string) {
    this.orderId = orderId;
  }
}
class ReserveStock extends OrderCommand {}
class Charge extends OrderCommand {}
class Ship extends OrderCommand {}
class ReleaseStock extends OrderCommand {}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus();
  const eventBus = new EventBus();
  const poor = new Set(["o2"]);

  commandBus.register(ReserveStock, async ({ orderId }, context) => {
    print(`${orderId}: stock reserved`);
    await eventBus.publish(new StockReserved(orderId), { causedBy: context });
  });
  commandBus.register(Charge, async ({ orderId }, context) => {
    const paid = !poor.has(orderId);
    print(`${orderId}: ${paid ? "paid" : "payment refused"}`);
    await eventBus.publish(new (paid ? OrderPaid : PaymentRefused)(orderId), { causedBy: context });
  });
  commandBus.register(Ship, ({ orderId }) => print(`${orderId}: shipped`));
  commandBus.register(ReleaseStock, ({ orderId }) => print(`${orderId}: stock released`));

  const checkout = saga(
    eventBus,
    commandBus,
    (events$) =>
      merge(
        events$.pipe(ofType(OrderPlaced), map(reserve)),
        events$.pipe(ofType(StockReserved), map(then(Charge))),
        events$.pipe(ofType(OrderPaid), map(then(Ship))),
        events$.pipe(ofType(PaymentRefused), map(then(ReleaseStock))),
      ),
    { name: "checkout" },
  );
  eventBus.faults$.subscribe(({ source, error }) => print(`saga ${source}: ${(error as Error).message}`));

  for (const orderId of ["o1", "o2", "", "o3"]) await eventBus.publish(new OrderPlaced(orderId));
  print(`the saga is ${checkout.state}`);
}

function reserve({ payload: { orderId } }: Envelope<OrderPlaced>): ReserveStock {
  if (orderId === "") throw new Error("an order without an id");
  return new ReserveStock(orderId);
}

function then(type: new (orderId: string) => OrderCommand): (event: Envelope<OrderEvent>) => OrderCommand {
  return ({ payload }) => new type(payload.orderId);
}

runWhenStarted("23-checkout-saga.ts", main);
