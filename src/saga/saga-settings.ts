import type { Envelope } from "../core/messages/envelope.js";

/** The checked options of a saga, as far as several of its parts need them. */
export interface SagaSettings {
  readonly name: string;
  readonly maxHops: number;
  readonly maxPerSecond: number;
  /** Whether links travel through promises and timers. */
  readonly asyncCauses: boolean;
  /** Reports an error of the saga on `faults$` of the event bus. */
  readonly report: (error: unknown, envelope?: Envelope) => void;
}
