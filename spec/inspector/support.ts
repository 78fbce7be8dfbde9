import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import type { InspectedMessage, Inspector } from "cqrx/inspector";

export const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class PlaceOrder {
  constructor(
    readonly orderId: string,
    readonly more: unknown = undefined,
  ) {}
}
export class GetOrder {
  constructor(readonly orderId: string) {}
}
export class OrderPlaced {
  constructor(readonly orderId: string) {}
}
export class OutOfStockError extends Error {
  override readonly name = "OutOfStockError";
}

export interface Shop {
  readonly commands: CommandBus;
  readonly queries: QueryBus;
  readonly events: EventBus;
}

/** A shop whose orders fail for the id "none", are answered by a query, and publish an event. */
export function shop(): Shop {
  const [commands, queries, events] = [new CommandBus(), new QueryBus(), new EventBus()];
  commands.register(PlaceOrder, async ({ orderId }, context) => {
    await queries.ask(new GetOrder(orderId), { causedBy: context });
    if (orderId === "none") throw new OutOfStockError("there is none left");
    await events.publish(new OrderPlaced(orderId), { causedBy: context });
  });
  queries.register(GetOrder, ({ orderId }) => ({ orderId, lines: [1, 2] }));
  events.register(OrderPlaced, () => undefined);
  return { commands, queries, events };
}

/** Returns the records as [name, state]. */
export const states = (inspector: Pick<Inspector, "messages">): string[] =>
  inspector.messages().map(({ name, state }) => `${name} ${state}`);

export const payloadOf = (message: InspectedMessage | undefined): unknown =>
  JSON.parse(message?.payload ?? "null");

/** Collects garbage at once. Made here, so that the specs need no flag. */
export const collectGarbage: () => void = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

/** Waits until a condition holds; a defect reaches the time limit of the test. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
