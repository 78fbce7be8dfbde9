import { Command, DomainEvent } from "cqrx";

/** A command with one effect: a line in the ledger and an event. */
abstract class Work extends Command {
  constructor(
    readonly index: number,
    /** How long the handler works before its effect. */
    readonly workMs: number,
  ) {
    super();
  }
}
export class StoredWork extends Work {
  static readonly messageName = "chaos.stored";
}
export class CalledWork extends Work {
  static readonly messageName = "chaos.called";
}
export class Worked extends DomainEvent {
  static readonly messageName = "chaos.worked";
  constructor(readonly index: number) {
    super();
  }
}

export interface WorkerConfig {
  readonly servers: string | string[];
  readonly replicas: 1 | 3;
  /** The file that stands for the world: each effect is a line of it. */
  readonly ledger: string;
  readonly inbox: boolean;
  readonly ackWaitMs: number;
  readonly leaseMs: number;
}

/** How many messages of a kind a worker runs at once. */
export const CONCURRENCY = 8;
export const GROUP = "ledger";
/** Sees a silent connection within 1.5 s, and takes the addresses that it was given only. */
export const CONNECTION = { pingInterval: 500, maxPingOut: 2, ignoreClusterUpdates: true } as const;
