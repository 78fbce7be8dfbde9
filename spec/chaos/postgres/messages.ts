/** A command that writes two rows, an event, and a line outside of the database. */
export class Transfer {
  static readonly messageName = "chaos.transfer";
  constructor(readonly index: number) {}
}

export class Transferred {
  static readonly messageName = "chaos.transferred";
  constructor(readonly index: number) {}
}

export interface WorkerConfig {
  readonly url: string;
  readonly schema: string;
  /** The file that stands for the world outside of the database. */
  readonly outside: string;
}
