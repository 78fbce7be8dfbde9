import { Subscription } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import type { Fault } from "../core/delivery/outcome.js";
import { isEnvelope, type Envelope } from "../core/messages/envelope.js";
import { kindOf, nameOf, typeOf, type MessageKind } from "../core/messages/message.js";
import { settleAll } from "./settle-all.js";
import { show } from "./show.js";
import type { TestedDatabase } from "./tested-bus.js";

/** A bus of any kind, whose engine has the same shape for all three. */
export type Bus = CommandBus;

/** A database with what it keeps for this package. */
export interface Storing extends TestedDatabase {
  readonly onStored: Set<(envelope: Envelope) => void>;
}

/** The buses of a scenario, and the database that their handlers store messages in. */
export interface World {
  readonly buses: readonly Bus[];
  readonly database: Storing | undefined;
}

/** Returns whether an argument of a scenario is a database. */
export function isDatabase(value: unknown): value is Storing {
  return (value as Partial<Storing> | null | undefined)?.onStored instanceof Set;
}

/** The result of a scenario that was played. */
export interface Played {
  /** How the message of `when` was settled; of several, the last. */
  readonly outcome: PromiseSettledResult<unknown>;
  /**
   * The commands and events that the messages of `when` caused, in the order in which they were accepted, or
   * committed in a database.
   */
  readonly sent: readonly Envelope[];
  /** The faults that the buses reported meanwhile. */
  readonly faults: readonly Fault[];
}

/** Sends what was given, then the messages under test, and waits for all of their effects. */
export async function play(
  { buses, database }: World,
  before: readonly object[],
  messages: readonly object[],
): Promise<Played> {
  const faults: Fault[] = [];
  const sent: Envelope[] = [];
  const causes: Envelope[] = [];
  const watching = new Subscription();
  const error = (): void => undefined;
  const send = (message: object): Promise<unknown> => {
    const { engine } = busFor(buses, message);
    const deliver = (): Promise<unknown> => {
      const delivery = engine.send(message);
      causes.push(delivery.envelope);
      return delivery.promise();
    };
    return database === undefined ? deliver() : database.transaction(deliver);
  };
  for (const { faults$ } of buses)
    watching.add(faults$.subscribe({ next: (fault) => void faults.push(fault), error }));
  try {
    for (const message of before) {
      try {
        await send(message);
      } catch (reason) {
        throw new Error(`${typeName(message)}, which was given, was rejected with\n${list([reason])}`, {
          cause: reason,
        });
      }
      await settleAll(...buses);
    }
    const next = (envelope: Envelope): void => void sent.push(envelope);
    for (const { engine, messages$ } of buses)
      if (engine.kind !== "query") watching.add(messages$.subscribe({ next, error }));
    if (database !== undefined) {
      database.onStored.add(next);
      watching.add(() => database.onStored.delete(next));
    }
    const outcomes = await Promise.allSettled(messages.map(send));
    await settleAll(...buses);
    return {
      outcome: outcomes.at(-1)!,
      sent: sent.filter((envelope) => !causes.includes(envelope)),
      faults,
    };
  } finally {
    watching.unsubscribe();
  }
}

function busFor(buses: readonly Bus[], given: object): Bus {
  if (typeof given !== "object" || given === null)
    throw new TypeError(
      `A scenario takes messages; received ` +
        (typeof given === "function" ? "a function or class: did you forget new?" : show(given)),
    );
  const message = payloadOf(given);
  const registered = buses.filter(({ engine }) => engine.registry.find(message) !== undefined);
  const ofKind = (kind: MessageKind): Bus[] => buses.filter(({ engine }) => engine.kind === kind);
  const found = registered.length > 0 ? registered : ofKind(markedKind(message));
  if (found.length === 1) return found[0]!;
  const names = found.map(({ engine: { name } }) => name).join(" and ");
  throw new Error(
    found.length === 0
      ? `No bus of this scenario takes ${typeName(message)}; pass scenario() the bus that it is sent on.`
      : `${typeName(message)} could be sent on ${names}; pass scenario() only one of them.`,
  );
}

/**
 * Returns the kind by base class or decorator; a class without either, and without a handler, can only be an event.
 */
function markedKind(message: object): MessageKind {
  const type = typeOf(message);
  return (type && kindOf(type)) ?? "event";
}

export function payloadOf(message: object): object {
  return isEnvelope(message) ? message.payload : message;
}

export function typeName(message: object): string {
  return nameOf(typeOf(payloadOf(message)));
}

export function list(items: readonly unknown[]): string {
  return items.length === 0 ? "  (nothing)" : items.map((item) => `  ${show(item)}`).join("\n");
}
