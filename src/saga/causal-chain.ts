import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Envelope } from "../core/messages/envelope.js";

// The cause of a command that a saga emits is carried in three ways, and looked up in this order:
// 1. the link that runs synchronously right now, as long as the code is in the async context in which it began;
// 2. the async context (`AsyncLocalStorage`), which also knows the event after a promise or a timer;
// 3. for an event whose publisher passed `causedBy` but lost the context: the command in flight that it names as
// its cause.

/** How many names of a chain are kept, enough to see a cycle. */
const NAMES_KEPT = 128;

/** A saga that handles an event, and the reactions of sagas that led there. */
export interface ChainLink {
  /** Identifies the saga. */
  readonly saga: object;
  /** The number of the event among those that the saga has received, from 1. */
  readonly number: number;
  readonly event: Envelope;
  /** How many commands of sagas led to the event. */
  readonly hops: number;
  /** The names of events and of sagas' commands in turn, the event's last. */
  readonly names: readonly string[];
}

/** The link of a saga to an event. Its names are made when they are read, because most events concern no saga. */
export class EventLink implements ChainLink {
  readonly saga: object;
  /** Set when the saga receives the event, which may have waited. */
  number = 0;
  readonly event: Envelope;
  readonly hops: number;
  readonly #before: ChainLink | undefined;

  constructor(saga: object, event: Envelope, before: ChainLink | undefined) {
    this.saga = saga;
    this.event = event;
    this.hops = before?.hops ?? 0;
    this.#before = before;
  }

  get names(): readonly string[] {
    return [...(this.#before?.names ?? []), this.event.meta.name].slice(-NAMES_KEPT);
  }
}

type Run<A> = (link: ChainLink, argument: A) => void;

interface Storage {
  getStore(): ChainLink | undefined;
  run<A>(link: ChainLink, run: Run<A>, same: ChainLink, argument: A): void;
  disable(): void;
}

/** Made for the first saga that reacts, and `null` outside Node. */
let storage: Storage | null | undefined;
/** How many sagas use the storage. */
let users = 0;
/** The link that runs synchronously outside the storage, and below it the storage's own link when it began. */
let running: ChainLink | undefined;
let storedAtStart: ChainLink | undefined;

/**
 * Starts the storage, which carries links through promises and timers. The returned function stops it with its last
 * user, because before Node 24 every promise of a process takes three times as long while a storage is in use.
 */
export function useAsyncContext(): () => void {
  if (storage === undefined) {
    // Not an import, because sagas also run outside Node.
    const hooks = (
      globalThis as {
        process?: { getBuiltinModule?(id: string): { AsyncLocalStorage: new () => Storage } | undefined };
      }
    ).process?.getBuiltinModule?.("node:async_hooks");
    storage = hooks === undefined ? null : new hooks.AsyncLocalStorage();
  }
  users++;
  return () => {
    if (--users === 0) storage?.disable();
  };
}

const storedLink = (): ChainLink | undefined => (users > 0 ? storage?.getStore() : undefined);

/** Runs a saga's reaction to an event. {@link currentLink} finds the link in it while it runs. */
export function runInLink<A>(link: ChainLink, run: Run<A>, argument: A): void {
  const outer = running;
  const outerStored = storedAtStart;
  running = link;
  storedAtStart = storedLink();
  try {
    run(link, argument);
  } finally {
    running = outer;
    storedAtStart = outerStored;
  }
}

/** Runs a reaction in the storage, too, so that the asynchronous work that it begins also finds the link. */
export function runInAsyncLink<A>(link: ChainLink, run: Run<A>, argument: A): void {
  if (storage == null) runInLink(link, run, argument);
  else storage.run(link, run, link, argument);
}

export function currentLink(): ChainLink | undefined {
  const stored = storedLink();
  // Another stored link means that the code has entered another async context since.
  return running !== undefined && storedAtStart === stored ? running : stored;
}

/** The commands of sagas that are in flight, for the third way. */
const commands = new WeakMap<LiveDelivery, ChainLink>();

export function remember(command: LiveDelivery, effect: ChainLink): void {
  commands.set(command, effect);
}

/** Returns the link of a command that a saga emits in reaction to an event. */
export function effectOf({ saga, number, event, hops, names }: ChainLink, command: string): ChainLink {
  return { saga, number, event, hops: hops + 1, names: [...names, command].slice(-NAMES_KEPT) };
}

/** Returns the link of a saga to an event, which may itself be an effect of sagas. */
export function linkTo(event: LiveDelivery, saga: object): EventLink {
  return new EventLink(saga, event.envelope, currentLink() ?? rememberedFor(event));
}

function rememberedFor(event: LiveDelivery): ChainLink | undefined {
  if (event.cause === undefined) return undefined;
  for (const cause of event.causes()) {
    const effect = commands.get(cause);
    if (effect !== undefined) return effect;
  }
  return undefined;
}

/**
 * Returns the shortest part that the end of a chain repeats, with its first name again at the end; the last names
 * if nothing repeats.
 */
export function cycleIn(names: readonly string[]): readonly string[] {
  const last = names.length - 1;
  for (let period = 1; period <= last / 2; period++) {
    let same = 0;
    while (same <= last - period && names[last - same] === names[last - same - period]) same++;
    if (same >= period) return names.slice(last - period);
  }
  return names.slice(-8);
}
