import type { JetStreamManager } from "@nats-io/jetstream";
import { InvalidOptionsError } from "../core/errors.js";
import { GROUP_HEADER, REPLAYS_HEADER } from "../transport/transport.js";
import type { DeadLetter, DeadLetterReason, DeadLetters, Frame } from "../transport/transport.js";
import type { Burial } from "./consumer.js";
import { fromMsgHeaders } from "./subjects.js";

const MARK = "cqrx-dead";

interface Mark {
  readonly address: string;
  readonly reason: DeadLetterReason;
  readonly detail: string;
  readonly attempts: number;
  readonly group: string;
  readonly messageId: string;
  readonly messageType: string;
  readonly replayCount: number;
}

/** Returns what is known about a letter: nothing for a message that no link has stored there. */
function readMark(text: string | undefined): Mark {
  try {
    return JSON.parse(decodeURIComponent(text!)) as Mark;
  } catch {
    return UNKNOWN;
  }
}

const UNKNOWN: Mark = {
  address: "",
  reason: "undecodable",
  detail: "Not a dead letter of a link; it can be discarded.",
  attempts: 0,
  group: "",
  messageId: "",
  messageType: "",
  replayCount: 0,
};

export type Store = (subject: string, frame: Frame, id: string) => Promise<unknown>;

/** The dead letters of a prefix: each is its message with one more header. */
export class NatsDeadLetters implements DeadLetters {
  readonly #jsm: JetStreamManager;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #store: Store;
  readonly #append: (address: string, frame: Frame, id: string) => Promise<unknown>;

  constructor(
    jsm: JetStreamManager,
    stream: string,
    prefix: string,
    store: Store,
    append: (address: string, frame: Frame, id: string) => Promise<unknown>,
  ) {
    this.#jsm = jsm;
    this.#stream = stream;
    this.#prefix = prefix;
    this.#store = store;
    this.#append = append;
  }

  async bury({ frame, sequence, ...mark }: Burial): Promise<void> {
    const written: Mark = mark;
    const kind = mark.address.split(".")[1]!;
    await this.#store(
      `${this.#prefix}.d.${kind}`,
      {
        headers: { ...frame.headers, [MARK]: encodeURIComponent(JSON.stringify(written)) },
        body: frame.body,
      },
      `dead:${mark.group}:${kind}:${sequence}`,
    );
  }

  async list({ limit = 100 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    const letters: DeadLetter[] = [];
    const { state } = await this.#jsm.streams.info(this.#stream);
    let sequence = state.first_seq;
    while (letters.length < limit && state.messages > 0 && sequence <= state.last_seq) {
      const found = await this.#read({ next_by_subj: `${this.#prefix}.d.>`, seq: sequence });
      if (found === undefined) break;
      letters.push(found.letter);
      sequence = Number(found.letter.id) + 1;
    }
    return letters;
  }

  async replay(id: string): Promise<void> {
    const found = await this.#found(id);
    const { letter, address } = found;
    if (address === "")
      throw new InvalidOptionsError(
        `The letter ${id} cannot be replayed: ${letter.detail}`,
        "id",
        "a letter of a link",
      );
    const replays = letter.replayCount + 1;
    const headers = {
      ...letter.headers,
      [GROUP_HEADER]: encodeURIComponent(letter.group),
      [REPLAYS_HEADER]: String(replays),
    };
    await this.#append(address, { headers, body: letter.body }, `replay:${id}:${replays}`);
    await this.#jsm.streams.deleteMessage(this.#stream, Number(id));
  }

  async discard(id: string): Promise<void> {
    await this.#found(id);
    await this.#jsm.streams.deleteMessage(this.#stream, Number(id));
  }

  async #found(id: string): Promise<{ letter: DeadLetter; address: string }> {
    const found = /^\d+$/.test(id) ? await this.#read({ seq: Number(id) }) : undefined;
    if (found === undefined)
      throw new InvalidOptionsError(`There is no dead letter ${id}.`, "id", "the id of a dead letter");
    return found;
  }

  async #read(query: {
    seq: number;
    next_by_subj?: string;
  }): Promise<{ letter: DeadLetter; address: string } | undefined> {
    const stored = await this.#jsm.streams
      .getMessage(this.#stream, query as { seq: number })
      .catch(() => null);
    if (stored === null) return undefined;
    const { [MARK]: mark, ...headers } = fromMsgHeaders(stored.header);
    const { address, ...about } = readMark(mark);
    return {
      address,
      letter: { ...about, id: String(stored.seq), time: stored.time.getTime(), headers, body: stored.data },
    };
  }
}
