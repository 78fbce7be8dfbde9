import { inspect } from "node:util";
import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  around,
  closeAll,
  CommandBus,
  DomainEvent,
  Envelope,
  EventBus,
  InvalidOptionsError,
  Query,
  QueryBus,
  saga,
  type HandlerContext,
  type LiveQuery,
} from "cqrx";
import { authorization, retrying } from "cqrx/middleware";
import { delivery } from "cqrx/testing";
import { concatMap, map, Subject, type Observable } from "rxjs";
import { microtasks } from "../../conformance/support.js";
import { canaries, freshCanaries, withTraps } from "../../support/traps.js";

interface Session {
  readonly user: { readonly name: string; readonly admin: boolean };
}
class Rename {
  constructor(readonly name = "") {}
}
class Audit {}
class Renamed extends DomainEvent {}
class Mine extends Query<string> {}

const ada: Session = { user: { name: "ada", admin: true } };
const bob: Session = { user: { name: "bob", admin: false } };

let commandBus: CommandBus<Session>;
let queryBus: QueryBus<unknown, Session>;
let eventBus: EventBus<Session>;
let log: unknown[];

beforeEach(() => {
  commandBus = new CommandBus();
  queryBus = new QueryBus();
  eventBus = new EventBus();
  log = [];
});

const note = (_: unknown, { local }: HandlerContext<object, Session>): void =>
  void log.push(local?.user.name);

describe("the local context of a dispatch", () => {
  it("reaches the handlers of all buses as the same object, and is undefined without one", () =>
    withTraps(async () => {
      const seen: unknown[] = [];
      commandBus.register(Rename, (_, { local }) => void seen.push(local));
      eventBus.register(Renamed, (_, { local }) => void seen.push(local));
      queryBus.register(Mine, (_, { local }) => (seen.push(local), local?.user.name ?? "guest"));
      await commandBus.dispatch(new Rename(), { context: ada });
      await eventBus.publish(new Renamed(), { context: ada });
      expect(await queryBus.ask(new Mine(), { context: ada })).toBe("ada");
      for (const local of seen) expect(local).toBe(ada);
      expect(seen).toHaveLength(3);
      expect(await queryBus.ask(new Mine())).toBe("guest");
      await commandBus.dispatch(new Rename(), {});
      await commandBus.dispatch(new Rename(), { context: undefined });
      expect(seen.slice(3)).toEqual([undefined, undefined, undefined]);
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("is inherited by the effects of a handler, over all buses and levels, unless they have their own", () =>
    withTraps(async () => {
      commandBus.register(Rename, async (_, context) => {
        await Promise.resolve();
        await eventBus.publish(new Renamed(), { causedBy: context });
        await commandBus.dispatch(new Audit(), { causedBy: context, context: bob });
        await commandBus.dispatch(new Audit());
        commandBus.enqueue(new Audit(), { causedBy: context });
      });
      commandBus.register(Audit, note);
      eventBus.register(Renamed, async (_, context) => {
        note(_, context);
        log.push(await queryBus.ask(new Mine(), { causedBy: context }));
      });
      queryBus.register(Mine, (_, { local }) => `${local?.user.name} asks`);
      await commandBus.dispatch(new Rename(), { context: ada });
      await commandBus.drain();
      expect(log).toEqual(["ada", "ada asks", "bob", undefined, "ada"]);
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("is not inherited from an envelope, which may come from anywhere; nor by the commands of sagas", () =>
    withTraps(async () => {
      commandBus.register(Rename, ({ name }, context) =>
        name === ""
          ? commandBus.dispatch(new Rename("caused"), { causedBy: context.envelope })
          : note(name, context),
      );
      await commandBus.dispatch(new Rename(), { context: ada });
      saga(eventBus, commandBus, (events$) => events$.pipe(map(() => new Rename("saga"))));
      await eventBus.publish(new Renamed(), { context: ada });
      expect(log).toEqual([undefined, undefined]);
      await closeAll([commandBus, eventBus]);
    }));

  it("is seen by middleware, on forks and on changed messages, at each attempt", () =>
    withTraps(async () => {
      commandBus = new CommandBus<Session>({
        middleware: [
          concatMap((item) => {
            log.push(["operator", (item.local as Session | undefined)?.user.name]);
            return Promise.resolve(item.with(new Rename("changed")));
          }),
          around((message, next, item) => {
            log.push(["around", (item.local as Session | undefined)?.user.name]);
            return next(message);
          }),
          retrying({ count: 1 }),
        ],
      });
      commandBus.register(Rename, ({ name }, { local, attempt }) => {
        log.push([name, local?.user.name, attempt]);
        if (attempt === 1) throw new Error("busy");
      });
      await commandBus.dispatch(new Rename(), { context: ada });
      expect(log).toEqual([
        ["operator", "ada"],
        ["around", "ada"],
        ["changed", "ada", 1],
        ["changed", "ada", 2],
      ]);
      await freshCanaries();
    }));

  it("decides authorization, which refuses messages without one", () =>
    withTraps(async () => {
      const isAdmin = authorization(
        (_, { local }: HandlerContext<object, Session>) => local?.user.admin === true,
      );
      commandBus = new CommandBus<Session>({ middleware: [isAdmin] });
      commandBus.register(Rename, note);
      await commandBus.dispatch(new Rename(), { context: ada });
      for (const options of [{ context: bob }, {}, undefined])
        await expect(commandBus.dispatch(new Rename(), options)).rejects.toMatchObject({
          code: "UNAUTHORIZED",
        });
      expect(log).toEqual(["ada"]);
    }));

  it("reaches stream handlers, cold dispatches, handlers of an event with middleware, and fallbacks", () =>
    withTraps(async () => {
      commandBus = new CommandBus<Session>({ fallback: (_, { local }) => void log.push(local) });
      commandBus.deliveries(Rename).subscribe((item) => {
        log.push(item.local?.user.name);
        item.resolve();
      });
      await new Promise<void>((complete) =>
        commandBus.dispatch$(new Rename(), { context: bob }).subscribe({ complete }),
      );
      await commandBus.dispatch(new Audit(), { context: ada });
      eventBus.register(Renamed, note, { middleware: [retrying({ count: 1 })] });
      await eventBus.publish(Envelope.of(new Renamed()), { context: ada });
      expect(log).toEqual(["bob", ada, "ada"]);
    }));

  it("is in no envelope, no outcome, no JSON and no inspection", () =>
    withTraps(async () => {
      const shown: unknown[] = [];
      const secret = { user: { name: "secret-name", admin: true } };
      const streams: Observable<unknown>[] = [commandBus.messages$, commandBus.outcomes$, commandBus.faults$];
      for (const stream$ of streams) stream$.subscribe((item) => shown.push(item));
      let context!: HandlerContext;
      commandBus.register(Rename, (_, given) => {
        context = given;
        throw new Error("failed");
      });
      await commandBus
        .dispatch(new Rename(), { context: secret })
        .catch((error: unknown) => shown.push(error));
      expect(shown).toHaveLength(3);
      for (const item of shown) {
        expect(inspect(item, { depth: 10, showHidden: true })).not.toContain("secret-name");
        expect(JSON.stringify(item)).not.toContain("secret-name");
      }
      expect(context.local).toBe(secret);
      expect(inspect(context, { depth: 10 })).not.toContain("secret-name");
      expect({ ...context }).not.toHaveProperty("local");
    }));

  it.each(["ada", 1, null, () => ada])("is an object: %p is refused", async (context) => {
    commandBus.register(Rename, note);
    const refused = commandBus.dispatch(new Rename(), { context: context as never });
    await expect(refused).rejects.toMatchObject({ code: InvalidOptionsError.code, option: "context" });
    expect(log).toEqual([]);
  });

  it("can be given to a delivery in a test", () => {
    expect(delivery(new Rename(), { context: ada }).local).toBe(ada);
    expect(delivery(new Rename()).local).toBeUndefined();
    const cause = delivery(new Rename(), { context: ada });
    expect(delivery(new Rename(), { causedBy: cause }).local).toBe(ada);
  });
});

describe("the local context of a live query", () => {
  const shownBy = (live: LiveQuery<string>): string[] => {
    const shown: string[] = [];
    live.subscribe((value) => shown.push(value));
    return shown;
  };

  it("reaches each run, and watchers share runs only if it is the same object", () =>
    withTraps(async () => {
      const refresh$ = new Subject<void>();
      let runs = 0;
      queryBus.register(Mine, (_, { local }) => `${local?.user.name ?? "guest"} ${++runs}`, {
        refreshOn: refresh$,
      });
      const query = new Mine();
      const watched = [ada, bob, ada, undefined].map((context) =>
        shownBy(queryBus.watch(query, { context })),
      );
      expect(watched).toEqual([["ada 1"], ["bob 2"], ["ada 1"], ["guest 3"]]);
      expect(queryBus.watch(query, { context: bob }).getSnapshot().value).toBe("bob 2");
      expect(queryBus.watch(query, { context: { ...bob } }).getSnapshot().status).toBe("pending");
      refresh$.next();
      await microtasks();
      expect(watched.map((shown) => shown.at(-1))).toEqual(["ada 4", "bob 5", "ada 4", "guest 6"]);
      await queryBus.close();
    }));

  it("is an object", () =>
    expect(() => queryBus.watch(new Mine(), { context: "ada" as never })).toThrow(
      expect.objectContaining({ code: InvalidOptionsError.code, option: "context" }),
    ));
});
