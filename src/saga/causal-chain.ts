import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Envelope } from "../core/messages/envelope.js";

// The cause of a command that a saga emits is carried in three ways, and looked up in this order:
// 1. the async context (`AsyncLocalStorage`), which also knows the event after a promise or a timer;
// 2. without it, the link that runs synchronously right now;
// 3. for an event whose publisher passed `causedBy` but lost the context: the command in flight that it names as its cause.

/** How many names of a chain are kept, enough to see a cycle. */
const NAMES_KEPT = 128;

/** A saga that handles an event, and the reactions of sagas that led there. */
export interface ChainLink {
  /** Identifies the saga. */
  readonly saga: object;
  readonly event: Envelope;
  /** How many commands of sagas led to the event. */
  readonly hops: number;
  /** The names of events and of sagas' commands in turn, the event's last. */
  readonly names: readonly string[];
}

interface Storage {
  getStore(): ChainLink | undefined;
  run(link: ChainLink, run: () => void): void;
}

let storage: Storage | null | undefined;
/** The link that runs synchronously, where `AsyncLocalStorage` does not exist. */
let running: ChainLink | undefined;

/** Makes the storage for the first saga, because it slows promises down. Not an import, because sagas also run outside Node. */
function asyncStorage(): Storage | null {
  if (storage === undefined) {
    const hooks = (
      globalThis as {
        process?: { getBuiltinModule?(id: string): { AsyncLocalStorage: new () => Storage } | undefined };
      }
    ).process?.getBuiltinModule?.("node:async_hooks");
    storage = hooks === undefined ? null : new hooks.AsyncLocalStorage();
  }
  return storage;
}

/** Runs a saga's reaction to an event. {@link currentLink} finds the link in it and, with `AsyncLocalStorage`, in all work begun there. */
export function runInLink(link: ChainLink, run: () => void): void {
  const storage = asyncStorage();
  if (storage !== null) return storage.run(link, run);
  const outer = running;
  running = link;
  try {
    run();
  } finally {
    running = outer;
  }
}

export function currentLink(): ChainLink | undefined {
  return asyncStorage()?.getStore() ?? running;
}

/** The commands of sagas that are in flight, for the third way. */
const commands = new WeakMap<LiveDelivery, ChainLink>();

export function remember(command: LiveDelivery, effect: ChainLink): void {
  commands.set(command, effect);
}

/** Returns the link of a command that a saga emits in reaction to an event. */
export function effectOf(link: ChainLink, command: string): ChainLink {
  return { ...link, hops: link.hops + 1, names: [...link.names, command].slice(-NAMES_KEPT) };
}

/** Returns the link of a saga to an event, which may itself be an effect of sagas. */
export function linkTo(event: LiveDelivery, saga: object): ChainLink {
  const { envelope } = event;
  const before = currentLink() ?? rememberedFor(event);
  const names = [...(before?.names ?? []), envelope.meta.name].slice(-NAMES_KEPT);
  return { saga, event: envelope, hops: before?.hops ?? 0, names };
}

function rememberedFor(event: LiveDelivery): ChainLink | undefined {
  for (const cause of event.causes()) {
    const effect = commands.get(cause);
    if (effect !== undefined) return effect;
  }
  return undefined;
}

/** Returns the shortest part that the end of a chain repeats, with its first name again at the end; the last names if nothing repeats. */
export function cycleIn(names: readonly string[]): readonly string[] {
  const last = names.length - 1;
  for (let period = 1; period <= last / 2; period++) {
    let same = 0;
    while (same <= last - period && names[last - same] === names[last - same - period]) same++;
    if (same >= period) return names.slice(last - period);
  }
  return names.slice(-8);
}
