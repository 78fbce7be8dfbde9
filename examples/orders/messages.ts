// The classes that all processes share. Each has a `messageName`, because the name is what is on the wire.
import { Command, DomainEvent, Query } from "cqrx";

/** Asked of any worker: a call, which is answered or fails. */
export class GetPrice extends Query<number> {
  static readonly messageName = "orders.get-price";
  constructor(readonly item: string) {
    super();
  }
}

/** Stored until a worker has handled it, whatever is killed meanwhile. */
export class PlaceOrder extends Command {
  static readonly messageName = "orders.place";
  constructor(
    readonly orderId: string,
    readonly item: string,
    readonly euros: number,
  ) {
    super();
  }
}

/** Stored, and handled once by each group; those of one order in their order. */
export class OrderPaid extends DomainEvent {
  static readonly messageName = "orders.paid";
  static partitionKey({ orderId }: OrderPaid): string {
    return orderId;
  }
  constructor(readonly orderId: string) {
    super();
  }
}

/** Asked of the shipping process, and watched there. */
export class CountParcels extends Query<number> {
  static readonly messageName = "orders.count-parcels";
}
