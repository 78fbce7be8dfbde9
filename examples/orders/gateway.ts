// The process that customers talk to: it asks for prices, places orders, and shows a live count of parcels.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { CommandBus, QueryBus } from "cqrx";
import { retrying } from "cqrx/middleware";
import { NotSentError, OutcomeUnknownError, type Link } from "cqrx/transport";
import { CountParcels, GetPrice, PlaceOrder } from "./messages.js";
import { linkTo, type Network } from "./process.js";

const ITEMS = ["book", "lamp", "chair"];

/** How an order ended for the customer. */
export type Outcome = "placed" | "not sent" | "unknown";

export class Gateway {
  readonly link: Link;
  /** A query changes nothing, so that it is asked again until a worker answers. */
  readonly #prices = new QueryBus({
    middleware: [retrying({ count: 60, delayMs: 100, maxDelayMs: 500, retryIf: () => true })],
  });
  readonly #counts = new QueryBus();
  readonly #commandBus = new CommandBus();
  readonly orders = new Map<string, Outcome>();

  constructor(network: Network) {
    this.link = linkTo(network);
    this.link.route(this.#prices, [GetPrice], { timeoutMs: 5_000 });
    this.link.route(this.#counts, [CountParcels]);
    this.link.route(this.#commandBus, [PlaceOrder], { until: "stored" });
  }

  /** Calls `show` with the number of parcels, now and with each change, until it is unsubscribed. */
  watchParcels(show: (count: number) => void): { unsubscribe(): void } {
    return this.#counts.watch(new CountParcels()).subscribe({ next: show, error: () => undefined });
  }

  /** Places orders, several at a time. */
  async place(count: number): Promise<void> {
    let next = 0;
    const customer = async (): Promise<void> => {
      while (next < count) {
        const item = ++next % 40 === 0 ? "unicorn" : ITEMS[next % ITEMS.length]!;
        await this.#placeOne(item);
        await pause(150);
      }
    };
    await Promise.all(Array.from({ length: 8 }, customer));
  }

  async #placeOne(item: string): Promise<void> {
    const orderId = randomUUID();
    const euros = await this.#prices.ask(new GetPrice(item));
    const outcome = await this.#commandBus.dispatch(new PlaceOrder(orderId, item, euros)).then(
      () => "placed" as const,
      (error: unknown) => {
        if (error instanceof NotSentError) return "not sent" as const;
        if (error instanceof OutcomeUnknownError) return "unknown" as const;
        throw error;
      },
    );
    this.orders.set(orderId, outcome);
  }
}
