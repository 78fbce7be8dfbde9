import { Observable, Subscription } from "rxjs";
import type { CloseReport } from "../buses/bus.js";
import {
  aText,
  checkOptions,
  invalidOption,
  milliseconds,
  required,
  withMethods,
  type Checks,
} from "../core/checks.js";
import type { Handler } from "../core/handlers/handler.js";
import type { Envelope } from "../core/messages/envelope.js";
import { checkClass, nameOf, type MessageKind, type MessageType } from "../core/messages/message.js";
import { Beats } from "./beats.js";
import { ErrorCatalog } from "./error-catalog.js";
import { LinkClosedError } from "./errors.js";
import type { LinkContext } from "./link-context.js";
import {
  aStart,
  LINK_OPTIONS,
  ROUTE_OPTIONS,
  SERVE_OPTIONS,
  type LinkOptions,
  type RouteOptions,
  type ServeOptions,
} from "./options.js";
import { HALF } from "./names.js";
import { remoteHandler } from "./remote-handler.js";
import type { LinkedBus } from "./served-bus.js";
import { Serving } from "./serving.js";
import { readStored, typeNameOf } from "./stored-frames.js";
import type { DeadLetters, Listener, LinkState, Start, Transport } from "./transport.js";

const TRANSPORT = withMethods("a transport", "call", "append", "consume", "close");

/**
 * Connects buses of this process with buses of others: messages of a routed type go to the processes that serve it.
 * Handlers, middleware and callers stay as they are.
 *
 * Guarantees: every promise settles; a message that was not sent, one that failed, and one whose outcome is unknown
 * reject with errors of different classes. A call is handled at most once, a stored message at least once. Causation,
 * headers, cancellation and typed errors cross. No class is named by the wire.
 *
 * @example
 * const link = new Link(await memoryTransport());
 * link.route(commandBus, [PlaceOrder]);
 * await commandBus.dispatch(new PlaceOrder("o1")); // handled by a process that serves PlaceOrder
 */
export class Link implements AsyncDisposable {
  readonly transport: Transport;
  /** The state of the connection: the present one first, then each change. */
  readonly state$: Observable<LinkState>;
  readonly #context: LinkContext & { closed: boolean };
  readonly #timeoutMs: number;
  readonly #servings = new Set<Serving>();
  readonly #readers = new Set<() => void>();
  /** The types of each `route` that was not ended. */
  readonly #routes = new Set<readonly MessageType[]>();
  /** The class of each name, because a name on the wire must mean one class. */
  readonly #names = new Map<string, MessageType>();
  readonly #routed = new WeakMap<LinkedBus, Set<MessageType>>();
  readonly #served = new WeakMap<LinkedBus, Set<MessageType>>();
  #report: Promise<CloseReport> | undefined;

  /** @throws InvalidOptionsError */
  constructor(transport: Transport, options: LinkOptions = {}) {
    if (!TRANSPORT.accepts(transport))
      throw invalidOption("new Link()", "transport", TRANSPORT.expected, transport);
    checkOptions("new Link()", options, LINK_OPTIONS);
    const { timeoutMs = 30_000, heartbeatMs = 2_000, errors = [], exposeErrors = false } = options;
    this.transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#context = {
      transport,
      errors: new ErrorCatalog(errors, exposeErrors),
      beats: new Beats(heartbeatMs),
      source: options.source ?? "cqrx",
      partitions: options.partitions ?? 8,
      // JSON would write Infinity as null, which grants nothing.
      streamCredit: Math.min(options.streamCredit ?? 256, Number.MAX_SAFE_INTEGER),
      streamBuffer: options.streamBuffer ?? 10_000,
      headers: options.headers,
      incoming: new WeakSet(),
      calls: new Set(),
      closed: false,
    };
    this.state$ = transport.state$;
  }

  /** Messages that were given up: list, replay, discard. */
  get deadLetters(): DeadLetters {
    return this.transport.deadLetters;
  }

  /**
   * Sends messages of these types to the processes that serve them: each type gets one handler here, which `describe()`
   * names `remote(...)`. A type is exactly its class: messages of a class below it stay here unless they are listed.
   * Unsubscribing ends that.
   *
   * @throws HandlerAlreadyRegisteredError for a command or query with a handler here
   * @throws InvalidOptionsError for a wrong option, two classes of one name, or a type that this bus serves
   */
  route<B extends LinkedBus, M extends object = never>(
    bus: B,
    types: readonly MessageType<M>[],
    options: RouteOptions<NoInfer<M>> = {},
  ): Subscription {
    const source = "link.route()";
    checkOptions(source, options, ROUTE_OPTIONS as Checks<RouteOptions<M>>);
    const kind = this.#check(source, bus, types);
    const { until = kind === "event" ? "stored" : "handled", timeoutMs = this.#timeoutMs } = options;
    const { name, features } = this.transport;
    if (kind === "event" && until !== "stored")
      throw invalidOption(source, "until", '"stored" for events', until);
    if (kind === "query" && until === "stored")
      throw invalidOption(source, "until", '"handled" for queries', until);
    if (!features[until === "stored" ? "stored" : "calls"])
      throw invalidOption(source, "until", `what the transport ${name} can do`, until);
    this.#separate(source, this.#routed, this.#served, bus, types);
    const all = new Subscription();
    try {
      for (const type of types as readonly (MessageType & {
        partitionKey?: (message: never) => string | undefined;
      })[]) {
        const handler = remoteHandler(this.#context, {
          kind,
          type,
          stored: until === "stored",
          timeoutMs,
          key: options.key ?? type.partitionKey,
          format: options.format ?? "envelope",
        });
        all.add((bus as Registering).register(type, handler));
      }
    } catch (error) {
      all.unsubscribe();
      throw error;
    }
    const route = [...types];
    this.#routes.add(route);
    all.add(() => {
      this.#routes.delete(route);
      types.forEach((type) => this.#routed.get(bus)?.delete(type));
    });
    return all;
  }

  /**
   * Handles these types here for the processes that route them. Resolves when this process can be reached.
   *
   * @throws InvalidOptionsError for a wrong option, two classes of one name, or a type that this bus routes
   * @throws LinkClosedError
   */
  async serve(bus: LinkedBus, types: readonly MessageType[], options: ServeOptions = {}): Promise<Serving> {
    const source = "link.serve()";
    checkOptions(source, options, SERVE_OPTIONS);
    const kind = this.#check(source, bus, types);
    const { group, accept = ["calls", "stored"] } = options;
    const { features, name } = this.transport;
    if (kind === "event") checkOptions(source, { group }, { group: required(aText) });
    if (options.order === "key" && (kind !== "event" || features.order !== "key"))
      throw invalidOption(source, "order", `"none" for ${kind === "event" ? name : kind}`, "key");
    const calls = kind !== "event" && accept.includes("calls") && features.calls;
    const stored = kind !== "query" && accept.includes("stored") && features.stored;
    if (!calls && !stored) throw invalidOption(source, "accept", `what the transport ${name} can do`, accept);
    const sameGroup = [...this.#servings].some(
      (other) => stored && kind === "event" && other.eventGroup === group,
    );
    if (sameGroup) throw invalidOption(source, "group", "one that this link does not serve yet", group);
    this.#separate(source, this.#served, this.#routed, bus, types);
    const serving = new Serving(this.#context, { bus, kind, types, calls, stored, options }, () => {
      this.#servings.delete(serving);
      for (const type of types) this.#served.get(bus)?.delete(type);
    });
    this.#servings.add(serving);
    try {
      await serving.start();
    } catch (error) {
      await serving.close({ timeoutMs: 0 });
      throw error;
    }
    return serving;
  }

  /**
   * The stored events of these types, in order: those from `start` on, and then each new one. Cold: each subscriber
   * reads by itself. Events that cannot be read as one of the types are errors.
   *
   * @throws InvalidOptionsError
   */
  replay$(types: readonly MessageType[], options: { readonly start?: Start } = {}): Observable<Envelope> {
    const source = "link.replay$()";
    checkOptions(source, options, { start: aStart });
    this.#checkTypes(source, types);
    const { name, features } = this.transport;
    if (!features.replay)
      throw invalidOption(source, "types", `read from a transport that replays; ${name} does not`, types);
    const byName = new Map(types.map((type) => [nameOf(type), type]));
    return new Observable((subscriber) => {
      if (this.#context.closed) return subscriber.error(new LinkClosedError());
      let listener: Listener | undefined;
      const end = (): void => subscriber.complete();
      this.#readers.add(end);
      subscriber.add(() => {
        this.#readers.delete(end);
        void listener?.close();
      });
      this.transport
        .read({ kind: "event", start: options.start ?? "all" }, (frame) => {
          try {
            const type = byName.get(typeNameOf(frame) ?? "");
            if (type !== undefined) subscriber.next(readStored(frame, type));
          } catch (error) {
            subscriber.error(error);
          }
        })
        .then(
          (reading) => {
            listener = reading;
            if (subscriber.closed) void reading.close();
          },
          (error: unknown) => subscriber.error(error),
        );
      return undefined;
    });
  }

  /** Describes the link at this moment, for `inspect` and for logs. `calls` are those that wait for an answer. */
  describe(): {
    readonly transport: string;
    readonly state: LinkState;
    readonly routed: readonly string[];
    readonly served: readonly string[];
    readonly calls: number;
  } {
    const { transport, closed, calls } = this.#context;
    let state: LinkState = "closed";
    if (!closed)
      this.state$.subscribe({ next: (now) => (state = now), error: () => undefined }).unsubscribe();
    return {
      transport: transport.name,
      state,
      routed: [...this.#routes].flat().map(nameOf),
      served: [...this.#servings].flatMap((serving) => serving.types).map(nameOf),
      calls: calls.size,
    };
  }

  /**
   * Leaves: stops taking messages, lets those that run end, answers and acknowledges them, gives the others back,
   * and closes the transport. Close the link before the buses. Called again, it returns the same promise.
   *
   * Guarantees: every promise settles. At the deadline, what still runs is aborted and given back, and calls that wait
   * are rejected with `OutcomeUnknownError`, or with `LinkClosedError` if they were not sent.
   * Rejects, once everything is closed, with what the teardown of a subscriber to `replay$` threw.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<CloseReport> {
    checkOptions("link.close()", options, { timeoutMs: milliseconds });
    return (this.#report ??= this.#close(options.timeoutMs ?? 10_000));
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    this.#context.closed = true;
    const failures: unknown[] = [];
    for (const end of this.#readers) {
      try {
        end();
      } catch (error) {
        // A teardown of a subscriber threw; everything else is closed all the same.
        failures.push(error);
      }
    }
    const reports = await Promise.all([...this.#servings].map((serving) => serving.close({ timeoutMs })));
    for (const call of [...this.#context.calls]) call.close();
    await this.transport.close();
    if (failures.length > 0) throw failures[0];
    return {
      finished: reports.reduce((sum, { finished }) => sum + finished, 0),
      aborted: reports.flatMap(({ aborted }) => aborted),
      abandoned: reports.flatMap(({ abandoned }) => abandoned),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns the kind of the bus. @throws LinkClosedError, InvalidOptionsError, InvalidMessageError */
  #check(source: string, bus: LinkedBus, types: readonly MessageType[]): MessageKind {
    if (this.#context.closed) throw new LinkClosedError();
    const aBus = withMethods("a CommandBus, QueryBus or EventBus", "describe", "register");
    if (!aBus.accepts(bus)) throw invalidOption(source, "bus", aBus.expected, bus);
    this.#checkTypes(source, types);
    return bus.describe().kind;
  }

  #checkTypes(source: string, types: readonly MessageType[]): void {
    if (!Array.isArray(types) || types.length === 0)
      throw invalidOption(source, "types", "an array of message classes", types);
    for (const type of types as readonly MessageType[]) {
      checkClass(type);
      const name = nameOf(type);
      if (name === "" || name === "(anonymous class)" || name.length > 256 || HALF.test(name))
        throw invalidOption(source, "types", "classes with a name of 1 to 256 whole characters", name);
      const known = this.#names.get(name);
      if (known !== undefined && known !== type)
        throw invalidOption(source, "types", `classes of different names, by static messageName`, name);
      this.#names.set(name, type);
    }
  }

  /** A type that one bus routes and serves would come back to it for ever. */
  #separate(
    source: string,
    into: WeakMap<LinkedBus, Set<MessageType>>,
    other: WeakMap<LinkedBus, Set<MessageType>>,
    bus: LinkedBus,
    types: readonly MessageType[],
  ): void {
    const both = types.find((type) => other.get(bus)?.has(type));
    if (both !== undefined)
      throw invalidOption(
        source,
        "types",
        "routed or served, not both on one bus; use two buses",
        nameOf(both),
      );
    const known = into.get(bus) ?? new Set();
    for (const type of types) known.add(type);
    into.set(bus, known);
  }
}

/** The three buses, as far as a route registers its handlers. */
interface Registering {
  register(type: MessageType, handler: Handler): Subscription;
}
