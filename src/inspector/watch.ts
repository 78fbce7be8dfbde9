import { Subscription } from "rxjs";
import type { Bus } from "../buses/bus.js";
import type { Fault, Outcome, Refusal } from "../core/delivery/outcome.js";
import type { Envelope } from "../core/messages/envelope.js";
import { nameOf, typeOf, type MessageType } from "../core/messages/message.js";
import { preciseTime, wallNow } from "./clock.js";
import { errorText } from "./error-text.js";
import type { Figures } from "./figures.js";
import type { Part } from "./parts.js";
import type { InspectedKind } from "./protocol.js";
import type { Recorder } from "./recorder.js";
import { KeptMessage } from "./ring.js";
import type { Family } from "./sampling.js";
import { boundedText, valueText } from "./value-text.js";

/** Observes buses for a recorder. Unsubscribing leaves them as if they had never been observed. */
export function watchBuses(recorder: Recorder, parts: readonly Part[]): Subscription {
  const all = new Subscription();
  for (const { name, bus } of parts)
    if (bus !== undefined) all.add(new Watch(recorder, name, bus).subscribe());
  return all;
}

/** Observes one bus. */
class Watch {
  readonly #recorder: Recorder;
  readonly #name: string;
  readonly #bus: Bus;
  readonly #kind: InspectedKind;
  /** Weak, because a class made at run time belongs to the application. */
  readonly #figures = new WeakMap<object, Figures>();
  /** The last message while it is in flight, with its record: most messages end before another one comes. */
  #last: Envelope | undefined = undefined;
  #lastFigures: Figures | undefined = undefined;
  #lastRecord: KeptMessage | undefined = undefined;
  /** Records of earlier messages in flight. Weak, so that no message is held. */
  readonly #earlier = new WeakMap<Envelope, KeptMessage>();
  #earlierCount = 0;

  constructor(recorder: Recorder, name: string, bus: Bus) {
    this.#recorder = recorder;
    this.#name = name;
    this.#bus = bus;
    this.#kind = bus.describe().kind;
  }

  subscribe(): Subscription {
    // As an onlooker, because a fault that only the inspector sees is still to be told on the console.
    const { engine } = this.#bus;
    const { messages, outcomes, faults, refused } = engine.observers;
    for (const { message } of engine.pending()) this.#figuresOf(message).earlier++;
    const subscription = new Subscription();
    subscription.add(messages.look((envelope) => this.#accepted(envelope)));
    subscription.add(outcomes.look((outcome) => this.#settled(outcome)));
    subscription.add(faults.look((fault) => this.#failed(fault)));
    subscription.add(refused.look((refusal) => this.#refused(refusal)));
    return subscription;
  }

  // The next two run for every message: what only kept ones need has functions of its own, so that these stay small.

  #accepted(envelope: Envelope): void {
    const recorder = this.#recorder;
    const nowMs = (recorder.acceptedMs = Date.now());
    const figures = this.#figuresOf(envelope.payload);
    if (this.#lastRecord !== undefined) this.#setAside();
    this.#last = envelope;
    // Not written again in vain, because the garbage collector takes note of each writing.
    if (figures !== this.#lastFigures) this.#lastFigures = figures;
    figures.accept(nowMs, ++recorder.version);
    const family = envelope.inheritedCorrelationId;
    if (recorder.sampling.keeps(nowMs, family)) this.#open(envelope, figures, nowMs, family);
  }

  #settled(outcome: Outcome): void {
    const recorder = this.#recorder;
    const { envelope, durationMs } = outcome;
    const isLast = envelope === this.#last;
    // Do not read the clock for a message of less than a millisecond, because it ended within one of the last
    // acceptance.
    const nowMs = durationMs < 1 ? recorder.acceptedMs : Date.now();
    const figures = isLast ? this.#lastFigures! : this.#figuresOf(envelope.payload);
    const state = outcome.status === "fulfilled" ? "fulfilled" : outcome.cancelled ? "cancelled" : "rejected";
    figures.settle(nowMs, ++recorder.version, state, durationMs);
    if ((isLast ? this.#lastRecord !== undefined : this.#earlierCount > 0) || state === "rejected")
      this.#close(outcome, figures, state, nowMs);
    if (isLast) this.#last = undefined;
  }

  #open(envelope: Envelope, figures: Figures, nowMs: number, correlationId: string | undefined): void {
    const { sampling } = this.#recorder;
    const family =
      correlationId === undefined
        ? sampling.began(envelope.meta.correlationId)
        : sampling.joined(correlationId);
    this.#lastRecord = this.#keep(envelope, figures, wallNow(nowMs), family);
  }

  /** Keeps the record of the last message in another place, because a newer message has come. */
  #setAside(): void {
    this.#earlier.set(this.#last!, this.#lastRecord!);
    this.#earlierCount++;
    this.#lastRecord = undefined;
  }

  /** Returns the open record of a message, and forgets it. */
  #take(envelope: Envelope): KeptMessage | undefined {
    let record: KeptMessage | undefined;
    if (envelope === this.#last) {
      record = this.#lastRecord;
      this.#lastRecord = undefined;
    } else {
      record = this.#earlier.get(envelope);
      if (this.#earlier.delete(envelope)) this.#earlierCount--;
    }
    return record;
  }

  #close(
    outcome: Outcome,
    figures: Figures,
    state: "fulfilled" | "rejected" | "cancelled",
    nowMs: number,
  ): void {
    const { envelope, durationMs } = outcome;
    let record = this.#take(envelope);
    if (record === undefined) {
      if (state !== "rejected" || !this.#recorder.failureBudget.take(nowMs)) return;
      const now = wallNow();
      record = this.#keep(envelope, figures, durationMs >= 0 ? now - durationMs : now, undefined);
    }
    this.#end(record, outcome, state);
  }

  #end(record: KeptMessage, outcome: Outcome, state: "fulfilled" | "rejected" | "cancelled"): void {
    const { ring, version, settings } = this.#recorder;
    const { bytes } = record;
    record.settle(
      version,
      state,
      outcome.durationMs >= 0 ? Math.round(outcome.durationMs * 1_000) / 1_000 : undefined,
      outcome.attempts,
      outcome.status === "fulfilled" && this.#kind === "query"
        ? this.#text(outcome.value, settings.result, outcome.envelope.payload)
        : undefined,
      outcome.status === "rejected" ? errorText(outcome.reason, settings.maxMessageBytes) : undefined,
    );
    ring.grew(record, record.bytes - bytes);
  }

  #keep(envelope: Envelope, figures: Figures, nowMs: number, family: Family | undefined): KeptMessage {
    const recorder = this.#recorder;
    const { settings, ring, redact, version } = recorder;
    const { meta, payload } = envelope;
    const { causationId, headers } = meta;
    const record = new KeptMessage(
      {
        order: ++recorder.kept,
        kind: this.#kind,
        name: figures.name,
        bus: this.#name,
        id: meta.id,
        correlationId: meta.correlationId,
        causationId,
        time: preciseTime(meta.time, nowMs),
        payload: this.#text(payload, settings.payload, payload),
        headers:
          Object.keys(headers).length > 0
            ? valueText(headers, settings.maxMessageBytes, redact, ["headers"])
            : undefined,
      },
      version,
      family,
    );
    figures.kept++;
    ring.add(record);
    return record;
  }

  /** Returns the text of a payload or result, as the option about it says. */
  #text(
    value: unknown,
    option: boolean | ((value: never, message: never) => unknown),
    message: object,
  ): string | undefined {
    if (option === false) return undefined;
    const { maxMessageBytes } = this.#recorder.settings;
    let shown = value;
    if (option !== true)
      try {
        shown = option(value as never, message as never);
      } catch {
        return '"[the function of the option threw]"';
      }
    return shown === undefined ? undefined : valueText(shown, maxMessageBytes, this.#recorder.redact);
  }

  #failed({ kind, source, error, envelope }: Fault): void {
    const recorder = this.#recorder;
    const time = wallNow();
    recorder.note(recorder.faults, time, (order) => ({
      order,
      time,
      bus: this.#name,
      kind,
      source: boundedText(source, 200),
      ...(envelope && {
        message: { name: boundedText(envelope.meta.name, 200), id: boundedText(envelope.meta.id, 200) },
      }),
      error: errorText(error, recorder.settings.maxMessageBytes),
    }));
  }

  #refused({ messageType, error }: Refusal): void {
    const recorder = this.#recorder;
    const time = wallNow();
    recorder.note(recorder.refusals, time, (order) => ({
      order,
      time,
      bus: this.#name,
      messageType: boundedText(messageType, 200),
      error: errorText(error, recorder.settings.maxMessageBytes),
    }));
  }

  #figuresOf(payload: object): Figures {
    const type = typeOf(payload) ?? Object;
    return this.#figures.get(type) ?? this.#newFigures(type);
  }

  #newFigures(type: MessageType): Figures {
    const figures = this.#recorder.figuresOf(this.#kind, boundedText(nameOf(type), 200), this.#name);
    this.#figures.set(type, figures);
    return figures;
  }
}
