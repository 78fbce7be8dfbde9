import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Envelope } from "../core/messages/envelope.js";

/** How many names are kept of a chain of reactions: enough to see a cycle in. */
const NAMES_KEPT = 128;

/** A saga dealing with an event, and the reactions that led there. */
export interface Reaction {
  readonly saga: object;
  readonly event: Envelope;
  /** How many commands of sagas led to the event. */
  readonly hops: number;
  /** The types of events and of sagas' commands in turn, the event's last. */
  readonly names: readonly string[];
}

interface Storage {
  getStore(): Reaction | undefined;
  run(reaction: Reaction, run: () => void): void;
}

let storage: Storage | null | undefined;
/** Where there is no `AsyncLocalStorage`: the reaction that is under way synchronously. */
let running: Reaction | undefined;

/** Made by the first saga: it is not free. Not an import, because sagas also run where there is no Node. */
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

/** Runs what a saga does about an event: {@link currentReaction} finds it, also later in what was begun here if there is `AsyncLocalStorage`. */
export function reacting(reaction: Reaction, run: () => void): void {
  const storage = asyncStorage();
  if (storage !== null) return storage.run(reaction, run);
  const outer = running;
  running = reaction;
  try {
    run();
  } finally {
    running = outer;
  }
}

export function currentReaction(): Reaction | undefined {
  return asyncStorage()?.getStore() ?? running;
}

/** Commands of sagas that are in flight, for events whose cause says where they come from when no context does. */
const commands = new WeakMap<LiveDelivery, Reaction>();

export function remember(command: LiveDelivery, effect: Reaction): void {
  commands.set(command, effect);
}

/** What a command that a saga dispatches belongs to. */
export function effectOf(reaction: Reaction, command: string): Reaction {
  return { ...reaction, hops: reaction.hops + 1, names: [...reaction.names, command].slice(-NAMES_KEPT) };
}

/** What a saga does about an event, which may itself come from what a saga did. */
export function reactionTo(event: LiveDelivery, saga: object): Reaction {
  const { envelope } = event;
  const before = currentReaction() ?? rememberedFor(event);
  const names = [...(before?.names ?? []), envelope.meta.name].slice(-NAMES_KEPT);
  return { saga, event: envelope, hops: before?.hops ?? 0, names };
}

function rememberedFor(event: LiveDelivery): Reaction | undefined {
  for (const cause of event.causes()) {
    const effect = commands.get(cause);
    if (effect !== undefined) return effect;
  }
  return undefined;
}

/** The shortest part that the end of a chain repeats, the first name again at its end; the last names if it repeats nothing. */
export function cycleIn(names: readonly string[]): readonly string[] {
  const last = names.length - 1;
  for (let period = 1; period <= last / 2; period++) {
    let same = 0;
    while (same <= last - period && names[last - same] === names[last - same - period]) same++;
    if (same >= period) return names.slice(last - period);
  }
  return names.slice(-8);
}
