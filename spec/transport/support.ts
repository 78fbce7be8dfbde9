import { Command, DomainEvent, Query } from "cqrx";
import type { LinkOptions, Transport } from "cqrx/transport";

/** A network with any number of processes on it, and the faults that it can have. */
export interface World {
  connect(): Promise<Transport>;
  /** Connects a process whose connection can be cut without a word, and healed. */
  connectFragile(): Promise<{ transport: Transport; cut(): Promise<void>; heal(): Promise<void> }>;
  /** Kills the server, and starts it again with what it had stored. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  /** Makes the store of dead letters refuse, or accept again. */
  refuseDeadLetters(refused: boolean): Promise<void>;
  close(): Promise<void>;
}

export class PlaceOrder extends Command {
  constructor(
    readonly orderId: string,
    readonly amount = 1n,
  ) {
    super();
  }
}
export class CancelOrder extends Command {
  constructor(readonly orderId: string) {
    super();
  }
}
export class GetOrder extends Query<{ id: string; at: Date } | undefined> {
  constructor(readonly orderId: string) {
    super();
  }
}
export class CountOrders extends Query<number> {}
export class Numbers extends Query<number> {
  constructor(readonly count: number) {
    super();
  }
}
export class OrderPlaced extends DomainEvent {
  static partitionKey({ orderId }: OrderPlaced): string {
    return orderId;
  }
  constructor(
    readonly orderId: string,
    readonly step = 0,
  ) {
    super();
  }
}
export class OrderShipped extends DomainEvent {
  constructor(readonly orderId: string) {
    super();
  }
}

export class OutOfStock extends Error {
  static readonly code = "OUT_OF_STOCK";
  override readonly name = "OutOfStock";
  constructor(readonly sku: string) {
    super(`${sku} is out of stock`);
  }
}

/** Short waits, so that failures show soon; not so short that a slow machine takes them for silence. */
export const QUICK: LinkOptions = { errors: [OutOfStock], heartbeatMs: 300, timeoutMs: 20_000 };
export const SOON = { backoffMs: [5], ackWaitMs: 1_500 } as const;

/** Waits until a condition holds; the time limit of the test ends the wait otherwise. */
export async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
