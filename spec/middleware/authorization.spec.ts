import { describe, expect, it } from "@jest/globals";
import { CommandBus, CqrsError, InvalidOptionsError, QueryBus, when, type HandlerContext } from "cqrx";
import { authorization, UnauthorizedError } from "cqrx/middleware";
import { delivery, marbles } from "cqrx/testing";
import { deferred, microtasks, reasonOf } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { faultsOf } from "./support.js";

class DeleteUser {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

describe("authorization", () => {
  it("lets messages pass that the check allows, synchronously, and rejects the others", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [authorization<DeleteUser>(({ userId }) => userId === "mine")],
      });
      const deleted: string[] = [];
      bus.register(DeleteUser, ({ userId }) => void deleted.push(userId));

      bus.dispatch(new DeleteUser("mine"));
      expect(deleted).toEqual(["mine"]);

      const error = await reasonOf(bus.dispatch(new DeleteUser("other")));
      expect(error).toBeInstanceOf(UnauthorizedError);
      expect(error).toBeInstanceOf(CqrsError);
      expect(error).toMatchObject({
        name: "UnauthorizedError",
        code: "UNAUTHORIZED",
        messageType: "DeleteUser",
      });
      expect((error as Error).message).toBe(
        "DeleteUser was not allowed; send it as a user who is allowed to, or change the check.",
      );
      expect(deleted).toEqual(["mine"]);
      const check = authorization<DeleteUser>(({ userId }) => userId !== "Canary");
      expect(check.name).toBe("authorization");
      await canaries(new CommandBus({ middleware: [authorization(() => true)] }));
    }));

  it("gives the check the message and its context", () =>
    withTraps(async () => {
      const seen: [unknown, HandlerContext][] = [];
      const bus = new CommandBus({
        middleware: [
          authorization((message, context) => {
            seen.push([message, context]);
            return context.envelope.meta.headers["role"] === "admin";
          }),
        ],
      });
      bus.register(DeleteUser, () => undefined);
      const command = new DeleteUser("u1");

      await bus.dispatch(command, { headers: { role: "admin" } });
      await expect(bus.dispatch(command, { headers: { role: "guest" } })).rejects.toThrow(UnauthorizedError);
      expect(seen[0]![0]).toBe(command);
      expect(seen[0]![1].signal).toBeInstanceOf(AbortSignal);
    }));

  it.each([undefined, null, "yes", 1, {}, Promise.resolve("yes")])(
    "does not take %p for a yes",
    async (answer) => {
      const bus = new CommandBus({ middleware: [authorization(() => answer as boolean)] });
      bus.register(DeleteUser, () => undefined);
      await expect(bus.dispatch(new DeleteUser("u1"))).rejects.toThrow(UnauthorizedError);
    },
  );

  it("waits for an asynchronous check, and rejects with its error unchanged", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const checks = new Map([
        ["yes", () => Promise.resolve(true)],
        ["no", () => Promise.resolve(false)],
        ["rejects", () => Promise.reject(boom)],
        [
          "throws",
          () => {
            throw boom;
          },
        ],
      ]);
      const handled: string[] = [];
      const bus = new CommandBus({
        middleware: [
          when(
            DeleteUser,
            authorization<DeleteUser>(({ userId }) => checks.get(userId)!()),
          ),
        ],
      });
      bus.register(DeleteUser, ({ userId }) => void handled.push(userId));

      await bus.dispatch(new DeleteUser("yes"));
      await expect(bus.dispatch(new DeleteUser("no"))).rejects.toThrow(UnauthorizedError);
      expect(await reasonOf(bus.dispatch(new DeleteUser("rejects")))).toBe(boom);
      expect(await reasonOf(bus.dispatch(new DeleteUser("throws")))).toBe(boom);
      expect(handled).toEqual(["yes"]);
      await canaries(bus);
    }));

  it("does not run a message that was aborted during its check", () =>
    withTraps(async () => {
      const check = deferred<boolean>();
      const bus = new QueryBus({
        middleware: [
          when(
            DeleteUser,
            authorization(() => check.promise),
          ),
        ],
      });
      const faults = faultsOf(bus);
      let runs = 0;
      bus.register(DeleteUser, () => ++runs);
      const controller = new AbortController();
      const asked = bus.ask(new DeleteUser("u1"), { signal: controller.signal });
      const gone = new Error("gone");
      controller.abort(gone);
      expect(await reasonOf(asked)).toBe(gone);
      check.resolve(true);
      await microtasks();
      expect(runs).toBe(0);
      expect(faults).toEqual([]);
      await canaries(bus);
    }));

  it("is an operator: one by one, with the errors and the end of its source", () => {
    const operator = authorization<DeleteUser>(({ userId }) => {
      if (userId === "throws") throw new Error("boom");
      return userId === "yes";
    });
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      expectObservable(cold("-").pipe(operator as never)).toBe("-");
      expectObservable(cold("--|").pipe(operator as never)).toBe("--|");
      expectObservable(cold("--#").pipe(operator as never)).toBe("--#");

      const [no, throws] = ["no", "throws"].map((userId) => delivery(new DeleteUser(userId)));
      expectObservable(cold("-n-t-|", { n: no, t: throws }).pipe(operator as never)).toBe("-----|");

      const source = hot("--n--n--|", { n: delivery(new DeleteUser("no")) });
      expectObservable(source.pipe(operator as never), "^---!").toBe("-----");
      expectSubscriptions(source.subscriptions).toBe("^---!");
    });
  });

  it("refuses a value that is not a function", () => {
    expect(() => authorization(true as never)).toThrow(InvalidOptionsError);
  });
});
