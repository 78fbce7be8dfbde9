import { randomUUID } from "node:crypto";
import { fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as t from "cqrx/transport";

/*
 * A third transport, about as small as one can be: an append-only file in a folder, shared by any number of processes.
 * Each line is a fact. All processes read the same lines in the same order, and so agree without a lock: of two claims
 * of a message, the first line counts. It polls, keeps what it has read in memory, and has no calls, order or replay.
 */
type Message = { address: string; id: string; by: string; headers: t.Frame["headers"]; body: string };
type Letter = Omit<t.DeadLetter, "body"> & Message;
/** A hold takes a message for a group until a time; the holder prolongs it, waits by it, or settles for ever by it. */
type Hold = { key: string; by: string; at: number; until: number };
type Line = { message?: Message; group?: [string, number]; hold?: Hold; dead?: Letter; gone?: string };
const SETTLED = Number.MAX_SAFE_INTEGER;

export class FileTransport implements t.Transport {
  readonly name = "files";
  readonly features: t.TransportFeatures;
  readonly #state = new t.StateSource();
  readonly state$ = this.#state.state$;
  readonly #fd: number;
  #size = 0;
  readonly #messages: Record<"command" | "event", Message[]> = { command: [], event: [] };
  readonly #firsts = new Map<string, { by: string; position: number }>();
  readonly #groups = new Map<string, number>();
  readonly #holds = new Map<string, { by: string; until: number; attempt: number }>();
  readonly #letters = new Map<string, Letter>();
  readonly #pollers = new Set<() => void>();
  readonly #timer = setInterval(() => this.#pollers.forEach((poll) => poll()), 5);

  constructor(folder: string) {
    const flags = { calls: false, stored: true, replay: false, order: "none", delayedRetry: true } as const;
    this.features = { ...flags, maxBytes: 1_000_000, dedupeWindowMs: Infinity };
    this.#fd = openSync(join(folder, "log"), "a+");
    this.#state.set("connected");
  }

  #add(line: Line): void {
    writeSync(this.#fd, `${JSON.stringify(line)}\n`);
    this.#read();
  }

  /** Reads the lines that this process and others have added. */
  #read(): void {
    const added = Buffer.alloc(fstatSync(this.#fd).size - this.#size);
    if (added.length > 0) readSync(this.#fd, added, 0, added.length, this.#size);
    const lines = added.subarray(0, added.lastIndexOf("\n") + 1);
    this.#size += lines.length;
    for (const line of lines.toString().split("\n")) if (line !== "") this.#apply(JSON.parse(line) as Line);
  }

  #apply({ message, group, hold, dead, gone }: Line): void {
    if (group !== undefined && !this.#groups.has(group[0])) this.#groups.set(...group);
    if (dead !== undefined) this.#letters.set(dead.id, dead);
    if (gone !== undefined) this.#letters.delete(gone);
    if (hold !== undefined) {
      const { by, until, attempt } = this.#holds.get(hold.key) ?? { by: "", until: 0, attempt: 0 };
      const count = attempt + Number(by !== hold.by && hold.until !== SETTLED);
      if (by === hold.by || until <= hold.at) this.#holds.set(hold.key, { ...hold, attempt: count });
    }
    if (message === undefined) return;
    const { kind } = t.parseStoredAddress(message.address);
    if (this.#firsts.has(kind + message.id)) return;
    this.#firsts.set(kind + message.id, { by: message.by, position: this.#messages[kind].push(message) });
  }

  call(): never {
    throw new Error("Files have no calls and no replay.");
  }
  answer = (): never => this.call();
  read = (): never => this.call();

  async append(address: string, frame: t.Frame, { id }: { id: string }): Promise<t.AppendResult> {
    const by = randomUUID();
    const body = Buffer.from(frame.body).toString("base64");
    this.#add({ message: { address, id, by, headers: frame.headers, body } });
    const first = this.#firsts.get(t.parseStoredAddress(address).kind + id)!;
    return { duplicate: first.by !== by, position: String(first.position) };
  }

  async consume(o: t.ConsumeOptions, handler: (d: t.StoredDelivery) => Promise<void>): Promise<t.Listener[]> {
    const group = o.kind === "command" ? o.kind : `event ${encodeURIComponent(o.group)}`;
    const messages = this.#messages[o.kind];
    this.#read();
    this.#add({ group: [group, o.kind === "command" || o.start === "all" ? 0 : messages.length] });
    let [room, settled] = [o.concurrency, this.#groups.get(group)!];
    const poll = (): void => {
      this.#read();
      while (this.#holds.get(`${group} ${settled + 1}`)?.until === SETTLED) settled++;
      for (let n = settled; room > 0 && n < messages.length; n++) {
        const hold: Hold = {
          key: `${group} ${n + 1}`,
          by: randomUUID(),
          at: Date.now(),
          until: Date.now() + o.ackWaitMs,
        };
        if (!o.types.includes(t.parseStoredAddress(messages[n]!.address).type)) continue;
        if ((this.#holds.get(hold.key)?.until ?? 0) > hold.at) continue;
        this.#add({ hold });
        if (this.#holds.get(hold.key)!.by !== hold.by) continue;
        room--;
        void this.#deliver(o, messages[n]!, hold, handler).finally(() => room++);
      }
    };
    this.#pollers.add(poll);
    return [{ close: async () => void this.#pollers.delete(poll) }];
  }

  async #deliver(
    { ackWaitMs, group }: t.ConsumeOptions,
    message: Message,
    hold: Hold,
    handler: (d: t.StoredDelivery) => Promise<void>,
  ): Promise<void> {
    const until = (time: number): void => this.#add({ hold: { ...hold, at: Date.now(), until: time } });
    const { attempt } = this.#holds.get(hold.key)!;
    const alive = setInterval(() => this.#pollers.size > 0 && until(Date.now() + ackWaitMs), ackWaitMs / 3);
    alive.unref();
    const frame = frameOf(message);
    const delivery: t.StoredDelivery = {
      frame,
      attempt,
      position: hold.key,
      ack: async () => until(SETTLED),
      retry: async (delayMs) => until(Date.now() + delayMs),
      dead: async (reason, detail) => {
        const type = { messageId: message.id, messageType: t.headerText(frame, t.TYPE_HEADER) };
        const about = { reason, detail, attempts: attempt, group, time: Date.now() };
        const replayCount = Number(frame.headers[t.REPLAYS_HEADER]) || 0;
        this.#add({ dead: { ...message, ...type, ...about, replayCount, id: hold.key } });
        until(SETTLED);
      },
    };
    await handler(delivery).catch(() => undefined);
    clearInterval(alive);
  }

  readonly deadLetters: t.DeadLetters = {
    list: async ({ limit = 100 } = {}) => {
      this.#read();
      return [...this.#letters.values()].slice(0, limit).map((letter) => ({ ...letter, ...frameOf(letter) }));
    },
    replay: async (id) => {
      const letter = this.#letters.get(id)!;
      const { headers, body } = frameOf(letter);
      const replays = String(letter.replayCount + 1);
      const more = { [t.GROUP_HEADER]: encodeURIComponent(letter.group), [t.REPLAYS_HEADER]: replays };
      await this.append(
        letter.address,
        { headers: { ...headers, ...more }, body },
        { id: `${id} ${replays}` },
      );
      this.#add({ gone: id });
    },
    discard: async (id) => this.#add({ gone: id }),
  };

  async close(): Promise<void> {
    this.#pollers.clear();
    clearInterval(this.#timer);
    await Promise.resolve(this.#state.set("closed"));
  }
}

const frameOf = ({ headers, body }: Message): t.Frame => ({
  headers,
  body: new Uint8Array(Buffer.from(body, "base64")),
});
