import { describe, expect, it } from "@jest/globals";
import { Command, CommandBus, DomainEvent, Envelope, EventBus, Query, QueryBus, type ReplyForm } from "cqrx";
import { retrying } from "cqrx/middleware";
import { firstValueFrom, of } from "rxjs";

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
