import { checkCopy } from "../core/checks.js";
import { equal } from "./equal.js";
import { isDatabase, list, payloadOf, play, typeName, type Bus, type Played, type World } from "./play.js";
import { show } from "./show.js";
import { checkBuses, type TestedBus, type TestedDatabase } from "./tested-bus.js";

/** An error by its class, or by its text: a part of it, or a RegExp that matches it. */
export type ExpectedError = (abstract new (...args: never) => Error) | RegExp | string;

/** A scenario before its expectation. */
export interface Scenario {
  /**
   * Adds messages that have happened before: sent one after another, each with all of its effects. Each must succeed.
   */
  given(...messages: readonly object[]): Scenario;
  /**
   * Sets the messages under test: sent one after another without waiting in between, then awaited with all of
   * their effects.
   */
  when(...messages: readonly [object, ...object[]]): ScenarioEnd;
}

/**
 * The expectations. Each of them plays the scenario, and rejects with an error that shows what came instead.
 */
export interface ScenarioEnd {
  /** Expects success and exactly these commands and events as effects, in this order. Queries do not count. */
  thenSends(...messages: readonly object[]): Promise<Played>;
  /** Expects success without any command or event as an effect. */
  thenSendsNothing(): Promise<Played>;
  /** Expects success with this value. */
  thenReturns(value: unknown): Promise<Played>;
  /** Expects success. */
  thenSucceeds(): Promise<Played>;
  /** Expects a rejection with such an error, or with an error whose `errors` hold such an error. */
  thenFailsWith(error: ExpectedError): Promise<Played>;
  /** Allows faults, such as those of a saga whose command fails; without this, a fault fails the test. */
  readonly despiteFaults: ScenarioEnd;
}

/**
 * Starts a test told as given, when, then, for handlers, event handlers and sagas on the buses that they are
 * registered with.
 *
 * With a `Database` of `cqrx/postgres` among the buses, each message runs in one transaction, as a feed or a worker
 * runs it, and what it stores there counts as sent: enqueued commands, also delayed ones, and appended or published
 * events.
 *
 * Guarantees: needs no test framework. Each message goes to the bus that has a handler for it, else to the
 * bus of its base class, else to the event bus. All effects have settled when the promise settles, as with
 * {@link settleAll}. Messages and values are equal if they have equal content and the same classes. Nothing
 * is reset: make new buses for each test, or reset them.
 *
 * @throws TypeError if an argument is neither a bus nor a database, or for a second database
 * @throws Error when it is played, for a message that belongs to no bus of the scenario, or to several
 * @example
 * const shop = scenario(commandBus, queryBus, eventBus);
 * await shop.given(new AddItem("o1", "tea")).when(new PlaceOrder("o1")).thenSends(new OrderPlaced("o1"));
 * await shop.when(new PlaceOrder("unknown")).thenFailsWith(OrderNotFoundError);
 * await shop.when(new GetOrders()).thenReturns([{ id: "o1" }]);
 */
export function scenario(...world: readonly (TestedBus | TestedDatabase)[]): Scenario {
  const buses = world.filter((each) => !isDatabase(each));
  const [database, another] = world.filter(isDatabase);
  checkBuses(buses, "scenario() takes buses, and a database.");
  if (another !== undefined) throw new TypeError("scenario() takes one database.");
  for (const bus of buses) checkCopy("a bus of scenario()", bus);
  return new Given({ buses: buses as readonly TestedBus[] as readonly Bus[], database }, []);
}

class Given implements Scenario {
  readonly #world: World;
  readonly #before: readonly object[];

  constructor(world: World, before: readonly object[]) {
    this.#world = world;
    this.#before = before;
  }

  given(...messages: readonly object[]): Scenario {
    return new Given(this.#world, [...this.#before, ...messages]);
  }

  when(...messages: readonly [object, ...object[]]): ScenarioEnd {
    if (messages.length < 1) throw new TypeError("when() takes at least one message.");
    return new When(
      () => play(this.#world, this.#before, messages),
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
        "\nAdd .despiteFaults if the fault is expected.",
      );
    return played;
  }

  #unexpected(text: string, { faults }: Played, cause?: unknown, advice = ""): Error {
    const reported =
      faults.length === 0
        ? ""
        : [
            "\nReported on faults$:",
            ...faults.map(({ kind, source, error }) => `  ${kind}, ${source}: ${show(error)}`),
          ].join("\n");
    return new Error(
      `${this.#name} should have ${text}${reported}${advice}`,
      cause === undefined ? {} : { cause },
    );
  }
}

function different(verb: string, expected: readonly unknown[], actual: readonly unknown[]): string {
  const [wanted, got] = [list(expected), list(actual)];
  const hint =
    wanted === got
      ? "\nThey look the same and are not equal: " +
        "they have different classes of one name, or differ in fields that are not shown."
      : "";
  return `${verb}\n${wanted}\nand has ${verb}\n${got}${hint}`;
}

function isExpected(reason: unknown, expected: ExpectedError): boolean {
  const parts = (reason as Partial<AggregateError> | null)?.errors;
  if (Array.isArray(parts) && parts.some((part) => isExpected(part, expected))) return true;
  if (typeof expected === "function") return reason instanceof expected;
  if (!expected)
    throw new TypeError("thenFailsWith() takes an error class, a text or a RegExp; received nothing.");
  const text = reason instanceof Error ? reason.message : String(reason);
  return typeof expected === "string" ? text.includes(expected) : new RegExp(expected).test(text);
}
