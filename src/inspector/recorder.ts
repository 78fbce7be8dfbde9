import { Subscription } from "rxjs";
import type { Bus } from "../buses/bus.js";
import type { Fault, Outcome, Refusal } from "../core/delivery/outcome.js";
import type { Envelope } from "../core/messages/envelope.js";
import { nameOf, typeOf, type MessageType } from "../core/messages/message.js";
import { preciseTime, wallNow } from "./clock.js";
import { errorText } from "./error-text.js";
import { Figures } from "./figures.js";
import type { Settings } from "./options.js";
import { described, type Part } from "./parts.js";
import type {
  DescribedPart,
  InspectedCounts,
  InspectedFault,
  InspectedKind,
  InspectedRefusal,
} from "./protocol.js";
import { redaction, type Redact } from "./redaction.js";
import { KeptMessage, Ring } from "./ring.js";
import { Budget, Sampling, type Family } from "./sampling.js";
import { boundedText, valueText } from "./value-text.js";

/** How many faults and how many refusals are kept. */
const NOTICES = 200;
/** Failures, faults and refusals that are kept each second beside the messages. */
const FAILURES_A_SECOND = 500;
/** Message types with figures of their own. Classes made at run time must not fill the memory. */
const MOST_TYPES = 1_000;

/** Counts all messages of some buses, and keeps texts of some. Makes nothing else: no timer, no frame. */
export class Recorder {
  readonly sinceMs = wallNow();
  readonly ring: Ring;
  readonly figures: Figures[] = [];
  readonly faults: InspectedFault[] = [];
  readonly refusals: InspectedRefusal[] = [];
  readonly settings: Settings;
  readonly redact: Redact;
  readonly sampling: Sampling;
  readonly failureBudget = new Budget(FAILURES_A_SECOND);
  readonly noticeBudget = new Budget(FAILURES_A_SECOND);
  /** Ascends with every message, outcome, fault and refusal. */
  version = 0;
  /** The time of the last acceptance. */
  acceptedMs = Date.now();
  /** The version at the last change of the descriptions. */
  partsChanged = 0;
  kept = 0;
  readonly #parts: readonly Part[];
  readonly #figuresByName = new Map<string, Figures>();
  readonly #subscriptions = new Subscription();
  #described: readonly DescribedPart[] = [];
  #describedText = "";

  constructor(parts: readonly Part[], settings: Settings) {
    this.settings = settings;
    this.redact = redaction(settings.redact);
    this.sampling = new Sampling(settings.maxPerSecond);
    this.ring = new Ring(settings.capacity, settings.maxBytes, (record) => {
      if (record.family !== undefined) this.sampling.left(record.family);
    });
    this.#parts = parts;
  }

  /** Subscribes to the buses. */
  attach(): void {
    for (const { name, bus } of this.#parts)
      if (bus !== undefined) this.#subscriptions.add(new Watch(this, name, bus).subscribe());
  }

  /** Leaves the buses as if it had never been attached. */
  detach(): void {
    this.#subscriptions.unsubscribe();
  }

  get inFlight(): number {
    return this.#parts.reduce((sum, { bus }) => sum + (bus?.inFlight ?? 0), 0);
  }

  counts(clients: number): InspectedCounts {
    const sum = (field: "accepted" | "fulfilled" | "rejected" | "cancelled"): number =>
      this.figures.reduce((total, figures) => total + figures[field], 0);
    return {
      accepted: sum("accepted"),
      fulfilled: sum("fulfilled"),
      rejected: sum("rejected"),
      cancelled: sum("cancelled"),
      kept: this.kept,
      inFlight: this.inFlight,
      bytes: this.ring.bytes,
      clients,
    };
  }

  /** The parts as last described. */
  get parts(): readonly DescribedPart[] {
    return this.#described;
  }

  /** Asks the parts to describe themselves, which costs nothing until it is called. */
  describeParts(): void {
    const parts = this.#parts.map((part) => described(part, this.redact));
    const text = JSON.stringify(parts);
    if (text === this.#describedText) return;
    this.#described = parts;
    this.#describedText = text;
    this.partsChanged = ++this.version;
  }

  /** Returns the figures of a type. Beyond the most types, further ones share one entry for each bus. */
  figuresOf(kind: InspectedKind, name: string, bus: string): Figures {
    const key = JSON.stringify([kind, name, bus]);
    const known = this.#figuresByName.get(key);
    if (known !== undefined) return known;
    if (this.figures.length >= MOST_TYPES && name !== OTHERS) return this.figuresOf(kind, OTHERS, bus);
    const figures = new Figures(kind, name, bus);
    this.figures.push(figures);
    this.#figuresByName.set(key, figures);
    return figures;
  }

  note<Notice extends InspectedFault | InspectedRefusal>(
    notices: Notice[],
    nowMs: number,
    make: (order: number) => Notice,
  ): void {
    if (!this.noticeBudget.take(nowMs)) return;
    // The version is the order, so that a frame finds the notices since the one before.
    notices.push(make(++this.version));
    if (notices.length > NOTICES) notices.shift();
  }
}

const OTHERS = "(other types)";

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
    for (const message of engine.pendingMessages()) this.#figuresOf(message).earlier++;
    const subscription = new Subscription();
    /* eslint-disable rxjs-x/no-ignored-error -- the streams of a bus never error */
    subscription.add(messages.onlooking.subscribe((envelope) => this.#accepted(envelope)));
    subscription.add(outcomes.onlooking.subscribe((outcome) => this.#settled(outcome)));
    subscription.add(faults.onlooking.subscribe((fault) => this.#failed(fault)));
    subscription.add(refused.onlooking.subscribe((refusal) => this.#refused(refusal)));
    /* eslint-enable rxjs-x/no-ignored-error */
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
    if (recorder.sampling.keeps(nowMs, envelope.inheritedCorrelationId)) this.#open(envelope, figures, nowMs);
  }

  #settled(outcome: Outcome): void {
    const recorder = this.#recorder;
    const { envelope, durationMs } = outcome;
    const isLast = envelope === this.#last;
    // What took less than a millisecond ended within one of the last acceptance, so that no clock is read.
    const nowMs = durationMs < 1 ? recorder.acceptedMs : Date.now();
    const figures = isLast ? this.#lastFigures! : this.#figuresOf(envelope.payload);
    const state = outcome.status === "fulfilled" ? "fulfilled" : outcome.cancelled ? "cancelled" : "rejected";
    figures.settle(nowMs, ++recorder.version, state, durationMs);
    if ((isLast ? this.#lastRecord !== undefined : this.#earlierCount > 0) || state === "rejected")
      this.#close(outcome, figures, state, nowMs);
    if (isLast) this.#last = undefined;
  }

  #open(envelope: Envelope, figures: Figures, nowMs: number): void {
    const family = this.#recorder.sampling.joined(envelope.meta.correlationId);
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
    // The constructor without its prototype's lookup first, because a message rarely shadows it.
    const type = typeOf(payload) ?? Object;
    return this.#figures.get(type) ?? this.#newFigures(type);
  }

  #newFigures(type: MessageType): Figures {
    const figures = this.#recorder.figuresOf(this.#kind, boundedText(nameOf(type), 200), this.#name);
    this.#figures.set(type, figures);
    return figures;
  }
}
