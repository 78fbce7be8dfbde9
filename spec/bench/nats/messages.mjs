/** An order of some 150 bytes as JSON, as class of each kind. */
class Order {
  constructor(index) {
    this.orderId = `order-${index}`;
    this.customer = "Ada Lovelace, 12 St James's Square, London";
    this.lines = [
      { article: "notebook", count: 2, price: 4.5 },
      { article: "pencil", count: 12, price: 0.8 },
    ];
  }
}
export class PlaceOrder extends Order {
  static messageName = "bench.place-order";
}
export class GetPrice extends Order {
  static messageName = "bench.get-price";
}
export class OrderPlaced extends Order {
  static messageName = "bench.order-placed";
}

/** Names of the bare contender. */
export const BARE = { subject: "bare.call", stream: "bare_events", event: "bare.event", durable: "bare" };
/** How many messages are in flight where many are. */
export const MANY = 64;
