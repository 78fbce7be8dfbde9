import { Subscription } from "rxjs";
import type { Bus } from "../core/bus/bus.js";
import { isEnvelope, type Envelope } from "../core/messages/envelope.js";
import { kindOf, nameOf, typeOf, type MessageKind } from "../core/messages/message.js";
import type { Fault } from "../core/delivery/outcome.js";
import { checkBuses } from "./check-buses.js";
import { equal } from "./equal.js";
import { settleAll } from "./settle-all.js";
import { show } from "./show.js";

/** How a {@link scenario} went. */
export interface Played {
  /** How the message of `when` ended; of several, the last. */
  readonly outcome: PromiseSettledResult<unknown>;
  /** The commands and events that it caused, with their metadata, in the order in which they were accepted. */
  readonly sent: readonly Envelope[];
  /** What the buses reported meanwhile. */
  readonly faults: readonly Fault[];
}

/** What an error is known by: its class, or what its text contains. */
export type ExpectedError = (abstract new (...args: never) => Error) | RegExp | string;

/** A scenario up to what it is about. */
export interface Scenario {
  /** What has happened before: sent one after another; what they cause is waited for. Each has to succeed. */
  given(...messages: readonly object[]): Scenario;
  /** What is tested: sent one after another, without waiting in between; what they cause is waited for. */
  when(...messages: readonly [object, ...object[]]): ScenarioEnd;
}

/** What to expect. Each of these plays the scenario, and rejects with an error that says what came instead. */
export interface ScenarioEnd {
  /** It succeeds, and causes exactly these commands and events, in this order. Queries do not count. */
  thenSends(...messages: readonly object[]): Promise<Played>;
  /** It succeeds, and causes no command and no event. */
  thenSendsNothing(): Promise<Played>;
  /** It succeeds with this value. */
  thenReturns(value: unknown): Promise<Played>;
  /** It succeeds. */
  thenSucceeds(): Promise<Played>;
  /** It is rejected with such an error, or with one made of such errors. */
  thenFailsWith(error: ExpectedError): Promise<Played>;
  /** Faults are expected, too, such as those of a saga whose command fails; without this, a fault is a failure. */
  readonly despiteFaults: ScenarioEnd;
}

/**
 * A test told as given, when, then: for handlers, event handlers and sagas, on the buses that they are registered with.
 *
 * Guarantees: needs no test framework; each message goes to the bus that has a handler for it, or else by its base class, or else to the event bus;
 * everything has finished when the promise settles, as {@link settleAll} has it. Messages and values are equal when they look the same and are of the
 * same classes. Nothing is reset: make buses for each test, or reset them.
 *
 * @throws TypeError for what is no bus; a message that belongs to none of the buses, or to several, fails when it is played.
 * @example
 * const shop = scenario(commandBus, queryBus, eventBus);
 * await shop.given(new AddItem("o1", "tea")).when(new PlaceOrder("o1")).thenSends(new OrderPlaced("o1"), new ReserveStock("tea"));
 * await shop.when(new PlaceOrder("unknown")).thenFailsWith(OrderNotFoundError);
 * await shop.when(new GetOrders()).thenReturns([{ id: "o1" }]);
 */
export function scenario(...buses: readonly Bus[]): Scenario {
  checkBuses(buses, "scenario() takes buses.");
  return new Given(buses, []);
}

class Given implements Scenario {
  readonly #buses: readonly Bus[];
  readonly #before: readonly object[];

  constructor(buses: readonly Bus[], before: readonly object[]) {
    this.#buses = buses;
    this.#before = before;
  }

  given(...messages: readonly object[]): Scenario {
    return new Given(this.#buses, [...this.#before, ...messages]);
  }

  when(...messages: readonly [object, ...object[]]): ScenarioEnd {
    if (messages.length < 1) throw new TypeError("when() takes at least one message.");
    return new When(
      () => play(this.#buses, this.#before, messages),
      messages.map(typeName).join(", "),
      false,
    );
  }
}

class When implements ScenarioEnd {
  readonly #play: () => Promise<Played>;
  readonly #name: string;
  readonly #faultsExpected: boolean;

  constructor(play: () => Promise<Played>, name: string, faultsExpected: boolean) {
    this.#play = play;
    this.#name = name;
    this.#faultsExpected = faultsExpected;
  }

  get despiteFaults(): ScenarioEnd {
    return new When(this.#play, this.#name, true);
  }

  async thenSends(...messages: readonly object[]): Promise<Played> {
    const played = await this.thenSucceeds();
    const expected = messages.map(payloadOf);
    const sent = played.sent.map(({ payload }) => payload);
    if (!equal(sent, expected)) throw this.#unexpected(different("sent", expected, sent), played);
    return played;
  }

  thenSendsNothing(): Promise<Played> {
    return this.thenSends();
  }

  async thenReturns(value: unknown): Promise<Played> {
    const played = await this.thenSucceeds();
    const { outcome } = played;
    if (outcome.status === "fulfilled" && !equal(outcome.value, value))
      throw this.#unexpected(different("returned", [value], [outcome.value]), played);
    return played;
  }

  async thenSucceeds(): Promise<Played> {
    const played = await this.#played();
    const { outcome } = played;
    if (outcome.status === "rejected")
      throw this.#unexpected(
        `succeeded\nand was rejected with\n${list([outcome.reason])}`,
        played,
        outcome.reason,
      );
    return played;
  }

  async thenFailsWith(error: ExpectedError): Promise<Played> {
    const played = await this.#played();
    const { outcome } = played;
    const expected = `failed with\n${list([error])}`;
    if (outcome.status === "fulfilled") throw this.#unexpected(`${expected}\nand has succeeded`, played);
    if (!isExpected(outcome.reason, error))
      throw this.#unexpected(
        `${expected}\nand was rejected with\n${list([outcome.reason])}`,
        played,
        outcome.reason,
      );
    return played;
  }

  async #played(): Promise<Played> {
    const played = await this.#play();
    if (played.faults.length > 0 && !this.#faultsExpected)
      throw this.#unexpected(
        `caused no fault`,
        played,
        played.faults[0]!.error,
        "\nExpected ones are let pass by .despiteFaults",
      );
    return played;
  }

  #unexpected(text: string, { faults }: Played, cause?: unknown, advice = ""): Error {
    const reported =
      faults.length === 0
        ? ""
        : `\nReported on faults$:\n${faults.map(({ kind, source, error }) => `  ${kind}, ${source}: ${show(error)}`).join("\n")}`;
    return new Error(
      `${this.#name} should have ${text}${reported}${advice}`,
      cause === undefined ? {} : { cause },
    );
  }
}

async function play(
  buses: readonly Bus[],
  before: readonly object[],
  messages: readonly object[],
): Promise<Played> {
  const faults: Fault[] = [];
  const sent: Envelope[] = [];
  const watching = new Subscription();
  const error = (): void => undefined;
  for (const { faults$ } of buses)
    watching.add(faults$.subscribe({ next: (fault) => void faults.push(fault), error }));
  try {
    for (const message of before) {
      try {
        await send(buses, message).promise();
      } catch (reason) {
        throw new Error(`${typeName(message)}, which was given, was rejected with\n${list([reason])}`, {
          cause: reason,
        });
      }
      await settleAll(...buses);
    }
    for (const { engine, messages$ } of buses)
      if (engine.kind !== "query")
        watching.add(messages$.subscribe({ next: (envelope) => void sent.push(envelope), error }));
    const deliveries = messages.map((message) => send(buses, message));
    const outcomes = await Promise.allSettled(deliveries.map((delivery) => delivery.promise()));
    await settleAll(...buses);
    const causes = deliveries.map(({ envelope }) => envelope);
    return {
      outcome: outcomes.at(-1)!,
      sent: sent.filter((envelope) => !causes.includes(envelope)),
      faults,
    };
  } finally {
    watching.unsubscribe();
  }
}

function send(buses: readonly Bus[], message: object): ReturnType<Bus["engine"]["send"]> {
  return busFor(buses, message).engine.send(message);
}

function busFor(buses: readonly Bus[], given: object): Bus {
  if (typeof given !== "object" || given === null)
    throw new TypeError(
      `A scenario is made of messages; received ${typeof given === "function" ? "a function or class: did you forget new?" : String(given)}`,
    );
  const message = payloadOf(given);
  const registered = buses.filter(({ engine }) => engine.registry.find(message) !== undefined);
  const ofKind = (kind: MessageKind): Bus[] => buses.filter(({ engine }) => engine.kind === kind);
  const found = registered.length > 0 ? registered : ofKind(markedKind(message));
  if (found.length === 1) return found[0]!;
  const names = found.map(({ engine: { name } }) => name).join(" and ");
  throw new Error(
    found.length === 0
      ? `None of the buses of this scenario is for ${typeName(message)}; give scenario() the bus that it is sent on.`
      : `${typeName(message)} could be sent on ${names}; give scenario() only one of them.`,
  );
}

/** A class without a mark, and without a handler, can only be an event. */
function markedKind(message: object): MessageKind {
  const type = typeOf(message);
  return (type && kindOf(type)) ?? "event";
}

function payloadOf(message: object): object {
  return isEnvelope(message) ? message.payload : message;
}

function typeName(message: object): string {
  return nameOf(typeOf(payloadOf(message)));
}

function different(verb: string, expected: readonly unknown[], actual: readonly unknown[]): string {
  const [wanted, got] = [list(expected), list(actual)];
  const hint =
    wanted === got
      ? "\nThey look the same, and are not equal: is one of another class of the same name, or do they differ in what is not shown?"
      : "";
  return `${verb}\n${wanted}\nand has ${verb}\n${got}${hint}`;
}

function list(items: readonly unknown[]): string {
  return items.length === 0 ? "  (nothing)" : items.map((item) => `  ${show(item)}`).join("\n");
}

function isExpected(reason: unknown, expected: ExpectedError): boolean {
  const parts = (reason as Partial<AggregateError> | null)?.errors;
  if (Array.isArray(parts) && parts.some((part) => isExpected(part, expected))) return true;
  if (typeof expected === "function") return reason instanceof expected;
  if (!expected)
    throw new TypeError("thenFailsWith() takes an error class, a text or a RegExp; received none.");
  const text = reason instanceof Error ? reason.message : String(reason);
  return typeof expected === "string" ? text.includes(expected) : new RegExp(expected).test(text);
}
