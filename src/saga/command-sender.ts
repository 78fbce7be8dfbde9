import type { Bus } from "../buses/bus.js";
import { FULFILLED } from "../core/delivery/live-delivery.js";
import { InvalidMessageError, LoopDetectedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { nameOf, typeOf } from "../core/messages/message.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import { currentLink, cycleIn, effectOf, remember, runInLink, type ChainLink } from "./causal-chain.js";

/** Dispatches the commands that a saga emits, under the event that they are a reaction to. */
export class CommandSender {
  readonly #saga: string;
  readonly #inbox: object;
  readonly #commandBus: Bus;
  readonly #maxHops: number;
  readonly #report: (error: unknown, envelope?: Envelope) => void;

  constructor(
    saga: string,
    inbox: object,
    commandBus: Bus,
    maxHops: number,
    report: (error: unknown, envelope?: Envelope) => void,
  ) {
    this.#saga = saga;
    this.#inbox = inbox;
    this.#commandBus = commandBus;
    this.#maxHops = maxHops;
    this.#report = report;
  }

  send(command: unknown): void {
    const link = currentLink();
    const event = link?.saga === this.#inbox ? link.event : undefined;
    let name: string;
    try {
      name = this.#nameOf(command);
    } catch (error) {
      return this.#report(error, event);
    }
    if (link === undefined) return this.#dispatch(command as object, event);
    if (link.hops < this.#maxHops) {
      const effect = effectOf(link, name);
      return runInLink(effect, () => this.#dispatch(command as object, event, effect));
    }
    const cycle = cycleIn([...link.names, name]);
    this.#report(new LoopDetectedError(this.#saga, name, this.#maxHops, cycle), event);
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
      if (!isThenable(command)) name = nameOf(typeOf(command));
      else ignored(command);
    } catch (cause) {
      refuse("a command whose type cannot be read (see cause)", cause);
    }
    return name ?? refuse("a promise; use mergeMap or concatMap where it is made with map");
  }

  #dispatch(command: object, event: Envelope | undefined, effect?: ChainLink): void {
    const delivery = this.#commandBus.engine.send(command, event && { causedBy: event });
    if (effect !== undefined && delivery.pending) remember(delivery, effect);
    delivery.whenSettled(() => {
      if (delivery.status !== FULFILLED) this.#report(delivery.result, delivery.envelope);
    });
  }
}
