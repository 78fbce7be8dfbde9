// Promises about the layers on top of the buses, and about when they pay.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import {
  CommandBus,
  DomainEvent,
  Envelope,
  EventBus,
  fulfilled,
  InvalidMessageError,
  ofType,
  Query,
  QueryBus,
  when,
  type HandlerContext,
  type Middleware,
} from "cqrx";
import { caching, coalescing, validation } from "cqrx/middleware";
import { bufferCount, map, scan, type Observable } from "rxjs";
import { z } from "zod";
import { canaries, withTraps } from "../support/traps.js";
import { deferred, microtasks, reasonOf } from "./support.js";

class Deposit {
  readonly account: string;
  readonly cents: number;

  constructor(account: string, cents: number) {
    this.account = account;
    this.cents = cents;
  }
}
class Deposited extends DomainEvent {
  readonly account: string;
  readonly cents: number;

  constructor(account: string, cents: number) {
    super();
    this.account = account;
    this.cents = cents;
  }
}
class GetBalance extends Query<number> {
  readonly account: string;

  constructor(account: string) {
    super();
    this.account = account;
  }
}

describe("the two sides", () => {
  it("S03 a table behind the commands and a projection behind the queries, each with rules, a cache and a bus of its own", () =>
    withTraps(async () => {
      const table: Deposit[] = [];
      const projection = new Map<string, number>();
      const eventBus = new EventBus();
      const rules = new Map([[Deposit, z.object({ account: z.string().min(1), cents: z.int().min(1) })]]);
      const commandBus = new CommandBus({ middleware: [validation({ schemas: rules })] });
      let reads = 0;
      const queryBus = new QueryBus({
        middleware: [
          validation({ schemas: new Map([[GetBalance, z.object({ account: z.string().max(9) })]]) }),
          when(
            GetBalance,
            caching({ store: new Map(), refreshOn: eventBus.outcomes$.pipe(ofType(Deposited)) }),
          ),
        ],
      });
      commandBus.register(Deposit, async (deposit, context) => {
        table.push(deposit);
        await eventBus.publish(new Deposited(deposit.account, deposit.cents), { causedBy: context });
      });
      eventBus.register(
        Deposited,
        ({ account, cents }) => void projection.set(account, (projection.get(account) ?? 0) + cents),
      );
      queryBus.register(GetBalance, ({ account }) => (reads++, projection.get(account) ?? 0));

      for (const cents of [100, 250]) await commandBus.dispatch(new Deposit("a", cents));
      expect(await queryBus.ask(new GetBalance("a"))).toBe(350);
      expect(await queryBus.ask(new GetBalance("a"))).toBe(350);
      expect([table.length, reads]).toEqual([2, 1]);
      await commandBus.dispatch(new Deposit("a", 50));
      expect([await queryBus.ask(new GetBalance("a")), reads]).toEqual([400, 2]);
      // Neither side's rules are the other's.
      const unnamed = commandBus.dispatch(new Deposit("", 1));
      expect(await reasonOf(unnamed)).toMatchObject({ code: "INVALID_MESSAGE", path: "payload.account" });
      expect(await queryBus.ask(new GetBalance(""))).toBe(0);
      expect(await reasonOf(queryBus.ask(new GetBalance("far too long")))).toBeInstanceOf(
        InvalidMessageError,
      );
      await commandBus.dispatch(new Deposit("far too long", 1));
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("S11 S15 S46 a rule that an endpoint kept to itself is shared by endpoints and jobs, and tested without a request", async () => {
    const taken = { status: 409, body: "taken" };
    const before = (users: Map<string, string>) => async (request: Request) => {
      // The rule and the store live in here, and no other caller can reach them.
      const { id, email } = (await request.json()) as { id: string; email: string };
      if (users.has(id)) return new Response(taken.body, { status: taken.status });
      users.set(id, email.toLowerCase());
      return new Response(null, { status: 201 });
    };

    class Taken extends Error {}
    class CreateUser {
      readonly id: string;
      readonly email: string;

      constructor(id: string, email: string) {
        this.id = id;
        this.email = email;
      }
    }
    class GetEmail extends Query<string | undefined> {
      readonly id: string;

      constructor(id: string) {
        super();
        this.id = id;
      }
    }
    const createUser =
      (users: Map<string, string>) =>
      ({ id, email }: CreateUser): void => {
        if (users.has(id)) throw new Taken(id);
        users.set(id, email.toLowerCase());
      };
    const users = new Map<string, string>();
    const commandBus = new CommandBus();
    const queryBus = new QueryBus();
    commandBus.register(CreateUser, createUser(users));
    queryBus.register(GetEmail, ({ id }) => users.get(id));
    const send = async (id: string, email: string): Promise<Response> =>
      commandBus.dispatch(new CreateUser(id, email)).then(
        () => new Response(null, { status: 201 }),
        () => new Response(taken.body, { status: taken.status }),
      );
    const after = async (request: Request): Promise<Response> => {
      const { id, email } = (await request.json()) as CreateUser;
      return send(id, email);
    };
    const form = async (request: Request): Promise<Response> => {
      const fields = new URLSearchParams(await request.text());
      return send(fields.get("id")!, fields.get("email")!);
    };
    const job = (lines: readonly string[]): Promise<unknown> =>
      Promise.allSettled(
        lines.map((line) => commandBus.dispatch(new CreateUser(...(line.split(",") as [string, string])))),
      );

    // The same to the outside.
    const post = (body: string): Request => new Request("http://localhost/", { method: "POST", body });
    const statuses = async (endpoint: (request: Request) => Promise<Response>): Promise<number[]> => {
      const body = JSON.stringify({ id: "u1", email: "Ada@B.com" });
      return [(await endpoint(post(body))).status, (await endpoint(post(body))).status];
    };
    expect(await statuses(before(new Map()))).toEqual([201, 409]);
    expect(await statuses(after)).toEqual([201, 409]);
    // One write for several endpoints and a job, one read for all who ask.
    expect((await form(post("id=u2&email=Grace@B.com"))).status).toBe(201);
    await job(["u3,Alan@B.com", "u1,Eve@B.com"]);
    expect([...users.values()]).toEqual(["ada@b.com", "grace@b.com", "alan@b.com"]);
    expect(await queryBus.ask(new GetEmail("u1"))).toBe("ada@b.com");
    // And the rule by itself.
    expect(() => createUser(new Map([["u1", ""]]))(new CreateUser("u1", ""))).toThrow(Taken);
  });

  it("S13 the handler of a query gets nothing that changes state, and a frozen query works as well", async () => {
    const queryBus = new QueryBus();
    let context: HandlerContext | undefined;
    queryBus.register(GetBalance, ({ account }, given) => {
      context = given;
      return account.length;
    });

    expect(await queryBus.ask(Object.freeze(new GetBalance("a")))).toBe(1);
    for (const name of ["dispatch", "dispatch$", "enqueue", "publish", "register", "deliveries"])
      expect(name in context!).toBe(false);
    for (const name of ["dispatch", "dispatch$", "enqueue", "publish"]) expect(name in queryBus).toBe(false);
    expect(() => Object.assign(context!.envelope.meta, { id: "forged" })).toThrow(TypeError);
  });

  it("S16 S67 when not to use it is said where people read", () => {
    const readme = readFileSync(join(__dirname, "../../README.md"), "utf8");
    const [opening] = readme.split("\n## ");

    for (const word of ["CRUD", "thin endpoints", "trivial logic", "function call"])
      expect(opening).toContain(word);
  });
});

describe("layered on top", () => {
  function bank(middleware?: (changed$: Observable<unknown>) => Middleware): {
    commandBus: CommandBus;
    queryBus: QueryBus;
    reads: () => number;
  } {
    const balances = new Map<string, number>();
    const commandBus = new CommandBus();
    const changed$ = commandBus.outcomes$.pipe(ofType(Deposit), fulfilled());
    const queryBus = new QueryBus({ middleware: middleware === undefined ? [] : [middleware(changed$)] });
    let reads = 0;
    commandBus.register(Deposit, ({ account, cents }) => {
      if (cents <= 0) throw new Error("no money");
      balances.set(account, (balances.get(account) ?? 0) + cents);
    });
    queryBus.register(GetBalance, async ({ account }) => (reads++, balances.get(account) ?? 0));
    return { commandBus, queryBus, reads: () => reads };
  }

  it("S31 S69 a query is cached: the second ask does not reach the handler, and a command that succeeds invalidates", () =>
    withTraps(async () => {
      const { commandBus, queryBus, reads } = bank((changed$) =>
        when(GetBalance, caching({ store: new Map(), refreshOn: changed$ })),
      );

      await commandBus.dispatch(new Deposit("a", 5));
      for (let n = 0; n < 3; n++) expect(await queryBus.ask(new GetBalance("a"))).toBe(5);
      expect(reads()).toBe(1);
      // One that fails has changed nothing.
      expect(await reasonOf(commandBus.dispatch(new Deposit("a", 0)))).toMatchObject({ message: "no money" });
      expect([await queryBus.ask(new GetBalance("a")), reads()]).toEqual([5, 1]);
      await commandBus.dispatch(new Deposit("a", 5));
      expect([await queryBus.ask(new GetBalance("a")), reads()]).toEqual([10, 2]);
      await canaries(commandBus, queryBus);
    }));

  it("S32 equal queries that are asked at the same time share one run and its result, and may be asked again", () =>
    withTraps(async () => {
      const { commandBus, queryBus, reads } = bank(() => coalescing());
      await commandBus.dispatch(new Deposit("a", 7));
      const asked = Array.from({ length: 100 }, (_, n) => queryBus.ask(new GetBalance(n === 50 ? "b" : "a")));
      expect(reads()).toBe(2);
      expect(await Promise.all(asked)).toEqual(asked.map((_, n) => (n === 50 ? 0 : 7)));
      expect(await queryBus.ask(new GetBalance("a"))).toBe(7);
      expect(await queryBus.ask(new GetBalance("a"))).toBe(7);
      expect(reads()).toBe(4);
      await canaries(commandBus, queryBus);
    }));

  it("S68 a background task is accepted at once, runs when its cause has succeeded, and is dropped when that failed", () =>
    withTraps(async () => {
      class SendReceipt {
        readonly account: string;

        constructor(account: string) {
          this.account = account;
        }
      }
      const commandBus = new CommandBus();
      const gate = deferred();
      const sent: string[] = [];
      commandBus.register(SendReceipt, ({ account }) => void sent.push(account));
      commandBus.register(Deposit, async ({ account, cents }, context) => {
        commandBus.enqueue(new SendReceipt(account), { causedBy: context });
        await gate.promise;
        if (cents <= 0) throw new Error("no money");
      });
      const outcomes: string[] = [];
      commandBus.outcomes$
        .pipe(ofType(SendReceipt))
        .subscribe(({ envelope, status }) => outcomes.push(`${envelope.payload.account} ${status}`));

      const good = commandBus.dispatch(new Deposit("good", 1));
      const bad = commandBus.dispatch(new Deposit("bad", 0));
      await microtasks();
      expect(sent).toEqual([]);
      gate.resolve();
      await good;
      await reasonOf(bad);
      await commandBus.drain();
      expect(sent).toEqual(["good"]);
      expect(outcomes.sort()).toEqual(["bad rejected", "good fulfilled"]);
      await canaries(commandBus);
    }));

  it("S70 the messages of a bus are an Observable like any other, and a query can be watched as one", () =>
    withTraps(async () => {
      const { commandBus, queryBus } = bank();
      const pairs: number[][] = [];
      const totals: number[] = [];
      const cents$ = commandBus.outcomes$.pipe(
        ofType(Deposit),
        fulfilled(),
        map(({ envelope }) => envelope.payload.cents),
      );
      cents$.pipe(bufferCount(2)).subscribe((pair) => pairs.push(pair));
      cents$.pipe(scan((sum, cents) => sum + cents, 0)).subscribe((total) => totals.push(total));
      const shown: number[] = [];
      const watcher = queryBus
        .watch(new GetBalance("a"), { refreshOn: cents$ })
        .subscribe((balance) => shown.push(balance));
      await microtasks();

      for (const cents of [1, 2, 0, 3, 4]) {
        await commandBus.dispatch(new Deposit("a", cents)).catch(() => undefined);
        await microtasks();
      }
      expect(pairs).toEqual([
        [1, 2],
        [3, 4],
      ]);
      expect(totals).toEqual([1, 3, 6, 10]);
      expect(shown).toEqual([0, 1, 3, 6, 10]);
      watcher.unsubscribe();
      await canaries(commandBus, queryBus);
    }));

  it("S72 a log of events is an observer that writes envelopes, and publishing them again rebuilds the state", () =>
    withTraps(async () => {
      const log: string[] = [];
      const live = new EventBus();
      live.outcomes$
        .pipe(ofType(Deposited), fulfilled())
        .subscribe(({ envelope }) => log.push(JSON.stringify(envelope)));
      const project = (bus: EventBus): Map<string, number> => {
        const balances = new Map<string, number>();
        bus.register(
          Deposited,
          ({ account, cents }) => void balances.set(account, (balances.get(account) ?? 0) + cents),
        );
        return balances;
      };
      const balances = project(live);
      for (const [account, cents] of [
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ] as const)
        // prettier-ignore
        await live.publish(new Deposited(account, cents), { headers: { by: "ada" } });

      const later = new EventBus();
      const rebuilt = project(later);
      const ids: string[] = [];
      later.messages$.subscribe(({ meta }) => ids.push(meta.id));
      for (const line of log) await later.publish(Envelope.fromJSON(line, Deposited));
      expect(rebuilt).toEqual(balances);
      expect(ids).toEqual(log.map((line) => (JSON.parse(line) as Envelope).meta.id));
      await canaries(live, later);
    }));
});
