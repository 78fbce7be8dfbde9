// Traffic for `npm start -- --demo`: a shop whose orders are paid by a service that fails now and then, and shipped by a saga.
import { CommandBus, EventBus, ofType, Query, QueryBus, saga, when } from "cqrx";
import { caching, coalescing, overlap, retrying, timeLimit } from "cqrx/middleware";
import { map, merge } from "rxjs";

class OfOrder {
  readonly orderId: string;

  constructor(orderId: string) {
    this.orderId = orderId;
  }
}

class PlaceOrder extends OfOrder {
  readonly customer = { name: "Ada", mail: "ada@example.com", password: "never shown" };
  readonly sku: string;

  constructor(orderId: string, sku: string) {
    super(orderId);
    this.sku = sku;
  }
}
class CapturePayment extends OfOrder {
  readonly card = "4000 0000 0000 0002";
}
class ShipOrder extends OfOrder {}
class SendMail extends OfOrder {}
class ArchiveOrders extends OfOrder {}

class GetStock extends Query<number> {
  readonly sku: string;

  constructor(sku: string) {
    super();
    this.sku = sku;
  }
}
class SearchProducts extends Query<readonly string[]> {
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}

class OrderPlaced extends OfOrder {}
class PaymentCaptured extends OfOrder {}
class OrderShipped extends OfOrder {}

class PaymentServiceError extends Error {
  override readonly name = "PaymentServiceError";
}

const PRODUCTS = ["wallpaper", "wall clock", "water", "tea", "teapot", "milk"];

export interface Shop {
  readonly shopCommands: CommandBus;
  readonly shopQueries: QueryBus;
  readonly shopEvents: EventBus;
}

/** Takes some time, and ends early when the signal is aborted. */
function work(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms * (0.5 + Math.random()));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}

function createShop(): Shop {
  const shopCommands = new CommandBus({
    middleware: [
      when(ShipOrder, overlap({ strategy: "merge", concurrency: 3 })),
      when(CapturePayment, retrying({ count: 2, delayMs: 40 })),
      when(CapturePayment, timeLimit(250)),
    ],
  });
  const shopQueries = new QueryBus({
    middleware: [
      when(GetStock, caching({ store: new Map(), ttlMs: 2_000 })),
      when(GetStock, coalescing()),
      when(SearchProducts, overlap({ strategy: "switch" })),
    ],
  });
  const shopEvents = new EventBus();
  // Milk is out of stock every other five seconds.
  shopQueries.register(GetStock, ({ sku }) =>
    sku === "milk" && Date.now() % 10_000 < 5_000 ? 0 : sku.length,
  );
  shopQueries.register(SearchProducts, async ({ text }, { signal }) => {
    await work(60, signal);
    return PRODUCTS.filter((product) => product.startsWith(text));
  });
  shopCommands.register(PlaceOrder, async ({ orderId, sku }, context) => {
    const stock = await shopQueries.ask(new GetStock(sku), { causedBy: context });
    if (stock === 0) throw new RangeError(`${sku} is out of stock`);
    await work(8, context.signal);
    await shopEvents.publish(new OrderPlaced(orderId), { causedBy: context });
  });
  shopCommands.register(CapturePayment, async ({ orderId }, context) => {
    await work(70, context.signal);
    if (Math.random() < 0.35)
      throw new PaymentServiceError(`the service did not take the payment of ${orderId}`);
    await shopEvents.publish(new PaymentCaptured(orderId), { causedBy: context });
  });
  shopCommands.register(ShipOrder, async ({ orderId }, context) => {
    await work(50, context.signal);
    await shopEvents.publish(new OrderShipped(orderId), { causedBy: context });
    shopCommands.enqueue(new SendMail(orderId), { causedBy: context });
  });
  shopCommands.register(SendMail, (_, { signal }) => work(15, signal));
  shopCommands.register(ArchiveOrders, () => undefined);
  // Failed commands of the saga and of the background are faults; the demo shows them in the inspector, not on the console.
  for (const bus of [shopEvents, shopCommands]) bus.faults$.subscribe();
  saga(
    shopEvents,
    shopCommands,
    (events$) =>
      merge(
        events$.pipe(
          ofType(OrderPlaced),
          map(({ payload }) => new CapturePayment(payload.orderId)),
        ),
        events$.pipe(
          ofType(PaymentCaptured),
          map(({ payload }) => new ShipOrder(payload.orderId)),
        ),
      ),
    { name: "checkout" },
  );
  return { shopCommands, shopQueries, shopEvents };
}

/** Starts customers that order and search. The returned function sends them home. */
export function openShop(): { readonly shop: Shop; readonly close: () => Promise<void> } {
  const shop = createShop();
  const { shopCommands, shopQueries, shopEvents } = shop;
  let orders = 4_700;
  const order = (): void => {
    const sku = PRODUCTS[orders % PRODUCTS.length]!;
    shopCommands.dispatch(new PlaceOrder(`o-${++orders}`, sku)).catch(() => undefined);
  };
  const search = (): void => {
    for (const [index, text] of ["w", "wa", "wal", "wall"].entries())
      setTimeout(() => void shopQueries.ask(new SearchProducts(text)).catch(() => undefined), index * 30);
  };
  const look = (): void => {
    for (const sku of PRODUCTS) shopQueries.ask(new GetStock(sku)).catch(() => undefined);
  };
  // A command that no handler takes, so that the inspector has a refusal to show.
  const mistake = (): void => void shopCommands.dispatch(new OfOrder("o-0")).catch(() => undefined);
  const timers = [
    setInterval(order, 90),
    setInterval(search, 700),
    setInterval(look, 250),
    setInterval(mistake, 15_000),
  ];
  return {
    shop,
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      // Commands first: until they have ended, they may publish and ask.
      for (const bus of [shopCommands, shopEvents, shopQueries]) await bus.close({ timeoutMs: 1_000 });
    },
  };
}
