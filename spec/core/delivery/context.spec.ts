import { describe, expect, it } from "@jest/globals";
import {
  Command,
  CommandBus,
  DomainEvent,
  Envelope,
  EventBus,
  Query,
  QueryBus,
  type HandlerContext,
  type ReplyForm,
} from "cqrx";
import { retrying } from "cqrx/middleware";
import { firstValueFrom, map, mergeMap, of } from "rxjs";

class Get extends Query<ReplyForm> {}
class Set extends Command {}
class WasSet extends DomainEvent {}

describe("context.reply", () => {
  for (const middleware of [[], [retrying({ count: 1 })]]) {
    const bus = new QueryBus({ middleware });
    bus.register(Get, (_, { reply }) => of(reply));
    const under = middleware.length === 0 ? "" : ", also on a fork";

    it(`is "one" under ask${under}`, async () => expect(await bus.ask(new Get())).toBe("one"));

    it(`is "many" under ask$${under}`, async () =>
      expect(await firstValueFrom(bus.ask$(new Get()), { defaultValue: "one" })).toBe("many"));

    it(`is "live" under watch${under}`, async () =>
      expect(await firstValueFrom(bus.watch(new Get()), { defaultValue: "one" })).toBe("live"));
  }

  it('is "one" for commands, sent either way, and for events', async () => {
    const forms: ReplyForm[] = [];
    const commandBus = new CommandBus();
    const eventBus = new EventBus();
    commandBus.register(Set, (_, { reply }) => void forms.push(reply));
    eventBus.register(WasSet, (_, { reply }) => void forms.push(reply));
    await commandBus.dispatch(new Set());
    await firstValueFrom(commandBus.dispatch$(new Set()), { defaultValue: undefined });
    await eventBus.publish(new WasSet());
    expect(forms).toEqual(["one", "one", "one"]);
  });
});

describe("context.envelope", () => {
  it("is the envelope that was dispatched, asked or published", async () => {
    const seen: unknown[] = [];
    const handler = (_: object, { envelope }: { envelope: unknown }): void => void seen.push(envelope);
    const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus<void>(), new EventBus()];
    commandBus.register(Set, handler);
    queryBus.register<Query<void>>(Get as never, handler);
    eventBus.register(WasSet, handler);
    const envelopes = [Envelope.of(new Set()), Envelope.of(new Get()), Envelope.of(new WasSet())] as const;
    await commandBus.dispatch(envelopes[0]);
    await queryBus.ask(envelopes[1]);
    await eventBus.publish(envelopes[2]);
    for (const [index, envelope] of envelopes.entries()) expect(seen[index]).toBe(envelope);
  });
});

describe("the functions of a delivery, taken out", () => {
  it("settle it in a stream handler", async () => {
    const bus = new QueryBus();
    bus.deliveries(Get).subscribe(({ resolve }) => resolve("many"));
    expect(await bus.ask(new Get())).toBe("many");
    const commandBus = new CommandBus();
    commandBus.faults$.subscribe();
    commandBus.deliveries(Set).subscribe(({ reject }) => reject(new RangeError("full")));
    await expect(commandBus.dispatch(new Set())).rejects.toThrow("full");
  });

  it("wait for a promise", async () => {
    const bus = new QueryBus();
    bus.deliveries(Get).subscribe(({ resolve }) => resolve(Promise.resolve("live") as never));
    expect(await bus.ask(new Get())).toBe("live");
  });

  it("change and fork it in an operator", async () => {
    const handled: Set[] = [];
    const other = new Set();
    const bus = new CommandBus({
      middleware: [
        map((delivery) => (({ with: changed }) => changed(other))(delivery)),
        mergeMap((delivery) => {
          const { fork, resolve } = delivery;
          const forked = fork();
          forked.settled$.subscribe(() => resolve());
          return of(forked);
        }),
      ],
    });
    bus.register(Set, (message) => void handled.push(message));
    await bus.dispatch(new Set());
    expect(handled).toEqual([other]);
    expect(handled[0]).toBe(other);
  });
});

describe("a copy of a context", () => {
  const contextOf = async (): Promise<HandlerContext<Set>> => {
    const bus = new CommandBus();
    let copy!: HandlerContext<Set>;
    bus.register(Set, (_, context) => void (copy = { ...context }));
    await bus.dispatch(new Set());
    return copy;
  };

  it("is refused as a cause, by name", async () => {
    const causedBy = await contextOf();
    const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
    commandBus.register(Set, () => {});
    queryBus.register(Get, () => of("one"));
    const copied = /causedBy .* a copy such as \{ \.\.\.context \}/;
    await expect(commandBus.dispatch(new Set(), { causedBy })).rejects.toThrow(copied);
    await expect(
      firstValueFrom(commandBus.dispatch$(new Set(), { causedBy }), { defaultValue: undefined }),
    ).rejects.toThrow(copied);
    expect(() => commandBus.enqueue(new Set(), { causedBy })).toThrow(copied);
    await expect(queryBus.ask(new Get(), { causedBy })).rejects.toThrow(copied);
    await expect(
      firstValueFrom(queryBus.ask$(new Get(), { causedBy }), { defaultValue: "one" }),
    ).rejects.toThrow(copied);
    await expect(eventBus.publish(new WasSet(), { causedBy })).rejects.toThrow(copied);
    expect(() => Envelope.of(new Set(), { causedBy })).toThrow(copied);
    await commandBus.dispatch(new Set());
  });

  it("is refused as a message, by name, and so is a copy of a message", async () => {
    const bus = new CommandBus();
    bus.register(Set, () => {});
    for (const copy of [await contextOf(), { ...new Set() }, { ...Envelope.of(new Set()) }])
      await expect(bus.dispatch(copy)).rejects.toThrow("a copy such as { ...message }, has no class");
    await bus.dispatch(new Set());
  });

  it("is taken with an envelope of its own, which passes no cancellation on", async () => {
    const bus = new CommandBus();
    bus.register(Set, () => {});
    const envelope = Envelope.of(new Set());
    await bus.dispatch(new Set(), { causedBy: { ...(await contextOf()), envelope } });
  });
});
