import { Subscription } from "rxjs";
import type { Fault, Outcome } from "../core/delivery/outcome.js";
import type { Envelope } from "../core/messages/envelope.js";
import { checkClass, matcher, type MessageType, type ResultOf } from "../core/messages/message.js";
import { checkBuses, type TestedBus } from "./tested-bus.js";

type RecordedBus = Pick<TestedBus, "messages$" | "outcomes$" | "faults$">;

/** Everything that a bus has emitted since {@link recording} began, oldest first. */
export interface Recording {
  /** The envelopes of accepted messages. */
  readonly messages: readonly Envelope[];
  /** The outcomes of settled messages. */
  readonly outcomes: readonly Outcome[];
  /** The faults; while they are recorded, the bus does not write them to the console. */
  readonly faults: readonly Fault[];
  /**
   * Returns the envelopes of one class and its subclasses.
   * @throws InvalidMessageError if `type` is not a class
   */
  messagesOf<M extends object>(type: MessageType<M>): Envelope<M>[];
  /**
   * Returns the outcomes of one class and its subclasses.
   * @throws InvalidMessageError if `type` is not a class
   */
  outcomesOf<M extends object>(type: MessageType<M>): Outcome<M, ResultOf<M>>[];
  /** Empties the recording, which goes on. */
  clear(): void;
  /** Stops recording and keeps what was recorded; so does `using`. */
  unsubscribe(): void;
  [Symbol.dispose](): void;
}

/**
 * Records the messages, outcomes and faults of a bus.
 *
 * @throws TypeError if `bus` is not a bus
 * @example
 * const recorded = recording(commandBus);
 * await commandBus.dispatch(new CreateUser("u1"));
 * expect(recorded.messagesOf(CreateUser).map(({ payload }) => payload.userId)).toEqual(["u1"]);
 * expect(recorded.faults).toEqual([]);
 */
export function recording(bus: RecordedBus): Recording {
  checkBuses([bus], "recording() takes a bus.");
  return new BusRecording(bus);
}

class BusRecording implements Recording {
  readonly messages: Envelope[] = [];
  readonly outcomes: Outcome[] = [];
  readonly faults: Fault[] = [];
  readonly #subscription = new Subscription();

  constructor(bus: RecordedBus) {
    const error = (reason: unknown): void =>
      void this.faults.push({ kind: "observer", source: "recording", error: reason });
    this.#subscription.add(
      bus.messages$.subscribe({ next: (envelope) => this.messages.push(envelope), error }),
    );
    this.#subscription.add(
      bus.outcomes$.subscribe({ next: (outcome) => this.outcomes.push(outcome), error }),
    );
    this.#subscription.add(bus.faults$.subscribe({ next: (fault) => this.faults.push(fault), error }));
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
    this.#subscription.unsubscribe();
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }
}
