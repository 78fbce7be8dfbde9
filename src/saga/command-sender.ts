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

const SECOND_MS = 1_000;

/** Dispatches the commands that a saga emits, under the event that they are a reaction to. */
export class CommandSender {
  readonly #saga: string;
  readonly #inbox: SagaInbox;
  readonly #commandBus: Bus;
  readonly #maxHops: number;
  readonly #maxPerSecond: number;
  readonly #report: (error: unknown, envelope?: Envelope) => void;
  readonly #sendOptions: SendOptions;
  #secondStartMs = -Infinity;
  #inSecond = 0;

  constructor(
    saga: string,
    inbox: SagaInbox,
    eventBus: Bus,
    commandBus: Bus,
    { maxHops, maxPerSecond }: { readonly maxHops: number; readonly maxPerSecond: number },
    report: (error: unknown, envelope?: Envelope) => void,
  ) {
    this.#saga = saga;
    this.#inbox = inbox;
    this.#commandBus = commandBus;
    this.#sendOptions = { from: eventBus.engine };
    this.#maxHops = maxHops;
    this.#maxPerSecond = maxPerSecond;
    this.#report = report;
  }

  send(command: unknown): void {
    const link = currentLink();
    const event = link?.saga === this.#inbox && this.#inbox.isCertain(link) ? link.event : undefined;
    let name: string;
    try {
      name = this.#nameOf(command);
    } catch (error) {
      return this.#report(error, event);
    }
    if (this.#exceedsRate(name, link, event)) return;
    if (link === undefined) return this.#dispatch(command as object, event);
    if (link.hops < this.#maxHops) {
      const effect = effectOf(link, name);
      const runInEffect = this.#inbox.asyncCauses ? runInAsyncLink : runInLink;
      return runInEffect(effect, () => this.#dispatch(command as object, event, effect), undefined);
    }
    this.#reportLoop(name, `${this.#maxHops} reactions in a row`, "maxHops", link, event);
  }

  /** Stops loops that no chain of causes shows. Reports the first command of a second that is too many. */
  #exceedsRate(name: string, link: ChainLink | undefined, event: Envelope | undefined): boolean {
    if (this.#maxPerSecond === Infinity) return false;
    const nowMs = performance.now();
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs;
      this.#inSecond = 0;
    }
    if (++this.#inSecond <= this.#maxPerSecond) return false;
    if (this.#inSecond === this.#maxPerSecond + 1)
      this.#reportLoop(name, `${this.#maxPerSecond} commands within a second`, "maxPerSecond", link, event);
    return true;
  }

  #reportLoop(
    command: string,
    after: string,
    option: string,
    link: ChainLink | undefined,
    event: Envelope | undefined,
  ): void {
    const cycle = cycleIn([...(link?.names ?? []), command]);
    const text =
      `Saga ${this.#saga} would dispatch ${command} after ${after}: ${cycle.join(" → ")}. ` +
      `Break the cycle, or raise ${option}.`;
    this.#report(new LoopDetectedError(text, command, cycle), event);
  }

  /** @throws InvalidMessageError for a value that is not a command */
  #nameOf(command: unknown): string {
    const refuse = (problem: string, cause?: unknown): never => {
      throw new InvalidMessageError(`Saga ${this.#saga} emitted ${problem}.`, { cause });
    };
    if (command === null) refuse("null; filter out values that are not commands");
    if (typeof command !== "object")
      refuse(`a value of type ${typeof command}; filter out values that are not commands`);
    let name: string | undefined;
    try {
      if (isEnvelope(command)) name = command.meta.name;
      else if (!isThenable(command)) name = nameOf(typeOf(command));
      else ignored(command);
    } catch (cause) {
      refuse("a command whose type cannot be read (see cause)", cause);
    }
    return name ?? refuse("a promise; use mergeMap or concatMap where it is made with map");
  }

  #dispatch(command: object, event: Envelope | undefined, effect?: ChainLink): void {
    // An envelope that says its cause keeps it.
    const stated = isEnvelope(command) && command.meta.causationId !== undefined;
    const options = event === undefined || stated ? undefined : { causedBy: event };
    const delivery = this.#commandBus.engine.send(command, options, this.#sendOptions);
    if (effect !== undefined && delivery.pending) remember(delivery, effect);
    delivery.whenSettled(() => {
      if (delivery.status !== FULFILLED) this.#report(delivery.result, delivery.envelope);
    });
  }
}
