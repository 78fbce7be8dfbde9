import type { Subscription } from "rxjs";
import type { Bus } from "../core/bus/bus.js";
import type { Envelope } from "../core/messages/envelope.js";
import { checkClass, matcher, type MessageType, type ResultOf } from "../core/messages/message.js";
import type { Fault, Outcome } from "../core/delivery/outcome.js";
import { checkBuses } from "./check-buses.js";

/** Everything a bus has shown since {@link recording} began, oldest first. */
export interface Recording {
  readonly messages: readonly Envelope[];
  readonly outcomes: readonly Outcome[];
  /** While they are recorded, faults do not go to the console. */
  readonly faults: readonly Fault[];
  /** The messages of one class. @throws InvalidMessageError for what is no class */
  messagesOf<M extends object>(type: MessageType<M>): Envelope<M>[];
  /** The outcomes of messages of one class. @throws InvalidMessageError for what is no class */
  outcomesOf<M extends object>(type: MessageType<M>): Outcome<M, ResultOf<M>>[];
  /** Forgets what was recorded, and goes on. */
  clear(): void;
  /** Stops; what was recorded stays. Also `Symbol.dispose`. */
  unsubscribe(): void;
  [Symbol.dispose](): void;
}

/**
 * Records what a bus shows.
 *
 * @throws TypeError for what is no bus.
 * @example
 * const recorded = recording(commandBus);
 * await commandBus.dispatch(new CreateUser("u1"));
 * expect(recorded.messagesOf(CreateUser).map(({ payload }) => payload.userId)).toEqual(["u1"]);
 * expect(recorded.faults).toEqual([]);
 */
export function recording(bus: Pick<Bus, "messages$" | "outcomes$" | "faults$">): Recording {
  checkBuses([bus], "recording() takes a bus.");
  return new BusRecording(bus);
}

class BusRecording implements Recording {
  readonly messages: Envelope[] = [];
  readonly outcomes: Outcome[] = [];
  readonly faults: Fault[] = [];
  readonly #subscriptions: readonly Subscription[];

  constructor(bus: Pick<Bus, "messages$" | "outcomes$" | "faults$">) {
    const error = (reason: unknown): void =>
      void this.faults.push({ kind: "observer", source: "recording", error: reason });
    this.#subscriptions = [
      bus.messages$.subscribe({ next: (envelope) => this.messages.push(envelope), error }),
      bus.outcomes$.subscribe({ next: (outcome) => this.outcomes.push(outcome), error }),
      bus.faults$.subscribe({ next: (fault) => this.faults.push(fault), error }),
    ];
  }

  messagesOf<M extends object>(type: MessageType<M>): Envelope<M>[] {
    checkClass(type);
    const matches = matcher([type]);
    return this.messages.filter(({ payload }) => matches(payload)) as Envelope<M>[];
  }

  outcomesOf<M extends object>(type: MessageType<M>): Outcome<M, ResultOf<M>>[] {
    checkClass(type);
    const matches = matcher([type]);
    return this.outcomes.filter(({ envelope }) => matches(envelope.payload)) as Outcome<M, ResultOf<M>>[];
  }

  clear(): void {
    this.messages.length = this.outcomes.length = this.faults.length = 0;
  }

  unsubscribe(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }
}
