// Commands say what to do, events what has happened. Stored by name, so each could have a `static messageName`.
export class OpenAccount {
  constructor(
    readonly account: string,
    readonly balance: number,
  ) {}
}
export class RequestTransfer {
  constructor(
    readonly transfer: string,
    readonly from: string,
    readonly to: string,
    readonly amount: number,
  ) {}
}
/** One step of a transfer: takes money from an account (below 0), or puts it there. Steps of one account run one at a time. */
export class Book {
  static partitionKey({ account }: Book): string {
    return account;
  }
  constructor(
    readonly account: string,
    readonly amount: number,
    readonly transfer: string,
  ) {}
}
/** The timeout of a transfer. */
export class GiveUp {
  constructor(readonly transfer: string) {}
}

export class Opened {
  constructor(
    readonly account: string,
    readonly amount: number,
  ) {}
}
export class Booked {
  constructor(
    readonly account: string,
    readonly amount: number,
    readonly transfer: string,
  ) {}
}
export class TransferRequested extends RequestTransfer {}
export class TransferEnded {
  constructor(
    readonly transfer: string,
    readonly result: "completed" | "refused" | "timed out",
  ) {}
}

export const COMMANDS = [RequestTransfer, Book, GiveUp];
export const EVENTS = [Opened, Booked, TransferRequested, TransferEnded];
