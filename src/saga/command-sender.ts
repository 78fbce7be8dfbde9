import type { Bus } from "../buses/bus.js";
import type { SendOptions } from "../core/bus/engine.js";
import { FULFILLED } from "../core/delivery/live-delivery.js";
import { InvalidMessageError, LoopDetectedError } from "../core/errors.js";
import { isEnvelope, type Envelope } from "../core/messages/envelope.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import {
  currentLink,
  cycleIn,
  effectOf,
  remember,
  runInAsyncLink,
  runInLink,
  type ChainLink,
} from "./causal-chain.js";
import type { SagaInbox } from "./saga-inbox.js";
import type { SagaSettings } from "./saga-settings.js";

const SECOND_MS = 1_000;

/** Dispatches the commands that a saga emits, under the event that they are a reaction to. */
export class CommandSender {
  readonly #saga: SagaSettings;
  readonly #inbox: SagaInbox;
  readonly #commandBus: Bus;
  readonly #sendOptions: SendOptions;
  #secondStartMs = -Infinity;
  #inSecond = 0;

  constructor(saga: SagaSettings, inbox: SagaInbox, eventBus: Bus, commandBus: Bus) {
    this.#saga = saga;
    this.#inbox = inbox;
    this.#commandBus = commandBus;
    this.#sendOptions = { from: eventBus.engine };
  }

  send(command: unknown): void {
    const link = currentLink();
    const event = link?.saga === this.#inbox && this.#inbox.isCertain(link) ? link.event : undefined;
    const { maxHops, asyncCauses, report } = this.#saga;
    let name: string;
    try {
      name = this.#nameOf(command);
    } catch (error) {
      return report(error, event);
    }
    if (this.#exceedsRate(name, link, event)) return;
    if (link === undefined) return this.#dispatch(command as object, event);
    if (link.hops >= maxHops)
      return this.#reportLoop(name, `${maxHops} reactions in a row`, "maxHops", link, event);
    const effect = effectOf(link, name);
    const runInEffect = asyncCauses ? runInAsyncLink : runInLink;
    runInEffect(effect, () => this.#dispatch(command as object, event, effect), undefined);
  }

  /** Stops loops that no chain of causes shows. Reports the first command of a second that is too many. */
  #exceedsRate(name: string, link: ChainLink | undefined, event: Envelope | undefined): boolean {
    const { maxPerSecond } = this.#saga;
    if (maxPerSecond === Infinity) return false;
    const nowMs = performance.now();
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs;
      this.#inSecond = 0;
    }
    if (++this.#inSecond <= maxPerSecond) return false;
    if (this.#inSecond === maxPerSecond + 1)
      this.#reportLoop(name, `${maxPerSecond} commands within a second`, "maxPerSecond", link, event);
    return true;
  }

  #reportLoop(
    command: string,
    after: string,
    option: keyof SagaSettings,
    link: ChainLink | undefined,
    event: Envelope | undefined,
  ): void {
    const cycle = cycleIn([...(link?.names ?? []), command]);
    const text =
      `Saga ${this.#saga.name} would dispatch ${command} after ${after}: ${cycle.join(" → ")}. ` +
      `Break the cycle, or raise ${option}.`;
    this.#saga.report(new LoopDetectedError(text, command, cycle), event);
  }

  /** @throws InvalidMessageError for a value that is not a command */
  #nameOf(command: unknown): string {
    const wrong = (emitted: string, cause?: unknown): InvalidMessageError =>
      new InvalidMessageError(`Saga ${this.#saga.name} emitted ${emitted}.`, { cause });
    if (typeof command !== "object" || command === null) {
      const emitted = command === null ? "null" : `a value of type ${typeof command}`;
      throw wrong(`${emitted}; filter out values that are not commands`);
    }
    try {
      if (isEnvelope(command)) return command.meta.name;
      if (!isThenable(command)) return nameOf(typeOf(command));
    } catch (cause) {
      throw wrong("a command whose type cannot be read (see cause)", cause);
    }
    ignored(command);
    throw wrong("a promise; use mergeMap or concatMap where it is made with map");
  }

  #dispatch(command: object, event: Envelope | undefined, effect?: ChainLink): void {
    // An envelope that says its cause keeps it.
    const stated = isEnvelope(command) && command.meta.causationId !== undefined;
    const options = event === undefined || stated ? undefined : { causedBy: event };
    const delivery = this.#commandBus.engine.send(command, options, this.#sendOptions);
    if (effect !== undefined && delivery.pending) remember(delivery, effect);
    delivery.whenSettled(() => {
      if (delivery.status !== FULFILLED) this.#saga.report(delivery.result, delivery.envelope);
    });
  }
}
