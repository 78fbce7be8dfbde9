import { wallNow } from "./clock.js";
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
import { Ring } from "./ring.js";
import { Budget, Sampling } from "./sampling.js";

/** How many faults and how many refusals are kept. */
const NOTICES = 200;
/** Failures, faults and refusals that are kept each second beside the messages. */
const FAILURES_A_SECOND = 500;
/** Message types with figures of their own. Classes made at run time must not fill the memory. */
const MOST_TYPES = 1_000;
/** The name of the entry that further types share. */
const OTHERS = "(other types)";

/** Records the messages of some buses: figures of all, and texts of some. Makes neither timers nor frames. */
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
