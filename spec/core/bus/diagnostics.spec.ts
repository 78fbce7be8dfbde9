import { AsyncLocalStorage } from "node:async_hooks";
import { channel, tracingChannel } from "node:diagnostics_channel";
import { afterEach, describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, EventHandlersFailedError, QueryBus, type DiagnosedMessage } from "cqrx";
import { sequentialIds } from "cqrx/testing";
import { canaries, escapedFrom, withTraps } from "../../support/traps.js";

class Save {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

type Part = "start" | "end" | "asyncStart" | "asyncEnd" | "error";
type Word = "dispatch" | "ask" | "publish";

let undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo) each();
  undo = [];
});

function listen(word: Word, part: Part, listener: (message: DiagnosedMessage) => void): void {
  const name = `tracing:cqrx:${word}:${part}`;
  const heard = (message: unknown): void => listener(message as DiagnosedMessage);
  channel(name).subscribe(heard);
  undo.push(() => channel(name).unsubscribe(heard));
}

/** Everything a channel says, as text. */
function told(word: Word): string[] {
  const lines: string[] = [];
  for (const part of ["start", "end", "asyncStart", "asyncEnd", "error"] as const)
    listen(word, part, ({ bus, messageType, error, result }) =>
      lines.push(
        [part, bus, messageType, error instanceof Error ? text(error) : undefined, result?.toString()]
          .filter((item) => item !== undefined)
          .join(" "),
      ),
    );
  return lines;
}

/** Returns the text of an error; of an event, whose error holds those of its handlers, the text of the first. */
const text = (error: Error): string =>
  error instanceof EventHandlersFailedError ? text(error.errors[0] as Error) : error.message;

const failing = (): never => {
  throw new Error("disk full");
};

describe("diagnostics channels", () => {
  it("tell start and end of a synchronous command", () =>
    withTraps(async () => {
      const bus = new CommandBus({ name: "commands" });
      const lines = told("dispatch");
      bus.register(Save, () => void lines.push("(handler)"));

      await bus.dispatch(new Save("a"));

      expect(lines).toEqual(["start commands Save", "(handler)", "end commands Save"]);
      await canaries(bus);
    }));

  it("tell asyncStart and asyncEnd when a message is settled later", () =>
    withTraps(async () => {
      const bus = new QueryBus<string>({ name: "queries" });
      bus.register(Save, async ({ what }) => Promise.resolve(what));
      const lines = told("ask");

      const asked = bus.ask(new Save("a"));
      expect(lines).toEqual(["start queries Save", "end queries Save"]);

      expect(await asked).toBe("a");
      expect(lines.slice(2)).toEqual(["asyncStart queries Save a", "asyncEnd queries Save a"]);
      await canaries(bus);
    }));

  it("tell errors, synchronous and later, before the end", () =>
    withTraps(async () => {
      const bus = new EventBus({ name: "events" });
      const registration = bus.register(Save, failing);
      const lines = told("publish");

      await expect(bus.publish(new Save("a"))).rejects.toThrow(EventHandlersFailedError);
      expect(lines).toEqual([
        "start events Save",
        "error events Save disk full",
        "end events Save disk full",
      ]);

      lines.length = 0;
      registration.unsubscribe();
      bus.register(Save, async () => Promise.resolve().then(failing));
      await expect(bus.publish(new Save("b"))).rejects.toThrow(EventHandlersFailedError);
      expect(lines).toEqual([
        "start events Save",
        "end events Save",
        "error events Save disk full",
        "asyncStart events Save disk full",
        "asyncEnd events Save disk full",
      ]);
      await canaries(bus);
    }));

  it.each(["start", "end", "error"] as const)("tell a listener of %s alone", (part) =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Save, failing);
      const heard: DiagnosedMessage[] = [];
      listen("dispatch", part, (message) => heard.push(message));

      await expect(bus.dispatch(new Save("a"))).rejects.toThrow("disk full");

      expect(heard).toHaveLength(1);
    }),
  );

  it("give one object per message, with its envelope made on the first look", () =>
    withTraps(async () => {
      let ids = 0;
      const bus = new CommandBus({ ids: () => `c${++ids}` });
      bus.register(Save, () => undefined);
      const heard: DiagnosedMessage[] = [];
      listen("dispatch", "start", (message) => heard.push(message));
      listen("dispatch", "end", (message) => heard.push(message));

      await bus.dispatch(new Save("a"));

      expect(heard[0]).toBe(heard[1]);
      expect(ids).toBe(0);
      expect(heard[0]!.envelope.payload).toEqual(new Save("a"));
      expect(heard[0]!.envelope.meta.id).toBe("c1");
    }));

  it("run the handler within the stores that are bound to start", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<unknown>();
      const { start } = tracingChannel<unknown, DiagnosedMessage>("cqrx:dispatch");
      start.bindStore(storage, (message) => `trace of ${message.messageType}`);
      undo.push(() => void start.unbindStore(storage));
      const seen: unknown[] = [];
      const bus = new CommandBus();
      bus.register(Save, async () => {
        seen.push(storage.getStore());
        await Promise.resolve();
        seen.push(storage.getStore());
      });

      await bus.dispatch(new Save("a"));

      expect(seen).toEqual(["trace of Save", "trace of Save"]);
      expect(storage.getStore()).toBeUndefined();
    }));

  it("nest as dispatches do", () =>
    withTraps(async () => {
      const bus = new CommandBus({ name: "commands", ids: sequentialIds() });
      class Outer {
        readonly depth = 1;
      }
      bus.register(Save, () => undefined);
      bus.register(Outer, (_outer, context) => bus.dispatch(new Save("a"), { causedBy: context }));
      const lines = told("dispatch");

      await bus.dispatch(new Outer());

      expect(lines).toEqual([
        "start commands Outer",
        "start commands Save",
        "end commands Save",
        "end commands Outer",
        "asyncStart commands Outer",
        "asyncEnd commands Outer",
      ]);
    }));

  it("tell of a command that is cancelled before it ran, and of one that is cancelled while it runs", () =>
    withTraps(async () => {
      const bus = new CommandBus({ name: "commands" });
      bus.register(Save, () => new Promise(() => undefined));
      const lines = told("dispatch");
      const controller = new AbortController();

      await expect(
        bus.dispatch(new Save("a"), { signal: AbortSignal.abort(new Error("too late")) }),
      ).rejects.toThrow("too late");
      const waiting = bus.dispatch(new Save("b"), { signal: controller.signal });
      controller.abort(new Error("no need"));
      await expect(waiting).rejects.toThrow("no need");

      expect(lines).toEqual([
        "start commands Save",
        "error commands Save too late",
        "end commands Save too late",
        "start commands Save",
        "end commands Save",
        "error commands Save no need",
        "asyncStart commands Save no need",
        "asyncEnd commands Save no need",
      ]);
      await canaries(bus);
    }));

  it("leave a throwing subscriber to Node, and the message as it is", async () => {
    const bus = new CommandBus();
    let saved = 0;
    bus.register(Save, () => void saved++);
    listen("dispatch", "start", () => {
      throw new Error("broken subscriber");
    });

    const escaped = await escapedFrom(() => bus.dispatch(new Save("a")));

    expect(saved).toBe(1);
    expect(escaped.uncaughtExceptions).toEqual([new Error("broken subscriber")]);
    for (const each of undo) each();
    await canaries(bus);
  });

  it("say nothing about refused messages, and nothing after the last listener has left", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const lines = told("dispatch");
      await expect(bus.dispatch(new Save("a"))).rejects.toThrow("No handler");
      for (const each of undo) each();
      bus.register(Save, () => undefined);
      await bus.dispatch(new Save("b"));
      expect(lines).toEqual([]);
    }));
});
