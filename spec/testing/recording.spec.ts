import { describe, expect, it } from "@jest/globals";
import { CommandBus, QueryBus, type Envelope } from "cqrx";
import { recording, sequentialIds } from "cqrx/testing";
import { CreateUser, DeleteUser, GetName } from "./messages.js";

const bus = (): CommandBus => {
  const made = new CommandBus({ ids: sequentialIds() });
  made.register(CreateUser, () => undefined);
  made.register(DeleteUser, () => {
    throw new Error("protected");
  });
  return made;
};
const ids = (envelopes: readonly Envelope[]): string[] => envelopes.map(({ meta }) => meta.id);

describe("recording", () => {
  it("keeps messages and outcomes, oldest first", async () => {
    const commandBus = bus();
    const recorded = recording(commandBus);

    await commandBus.dispatch(new CreateUser("u1"));
    await expect(commandBus.dispatch(new DeleteUser("u1"))).rejects.toThrow("protected");

    expect(ids(recorded.messages)).toEqual(["1", "2"]);
    expect(recorded.outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(recorded.faults).toEqual([]);
  });

  it("keeps faults", async () => {
    const commandBus = bus();
    const recorded = recording(commandBus);
    commandBus.messages$.subscribe(() => {
      throw new Error("broken observer");
    });

    await commandBus.dispatch(new CreateUser("u1"));

    expect(recorded.faults).toEqual([
      expect.objectContaining({ kind: "observer", source: "messages$", error: new Error("broken observer") }),
    ]);
  });

  it("finds the messages of one class", async () => {
    const commandBus = bus();
    const recorded = recording(commandBus);

    await commandBus.dispatch(new CreateUser("u1"));
    await commandBus.dispatch(new DeleteUser("u2")).catch(() => undefined);
    await commandBus.dispatch(new CreateUser("u3"));

    expect(recorded.messagesOf(CreateUser).map(({ payload }) => payload.userId)).toEqual(["u1", "u3"]);
    expect(recorded.outcomesOf(DeleteUser).map(({ envelope }) => envelope.payload.userId)).toEqual(["u2"]);
    expect(recorded.messagesOf(GetName)).toEqual([]);
  });

  it("knows the result of a query", async () => {
    const queryBus = new QueryBus();
    queryBus.register(GetName, () => "Ada");
    const recorded = recording(queryBus);

    await queryBus.ask(new GetName());

    const [outcome] = recorded.outcomesOf(GetName);
    const name: string | undefined = outcome?.status === "fulfilled" ? outcome.value : undefined;
    expect(name).toBe("Ada");
  });

  it("forgets when cleared, in the same arrays, and goes on", async () => {
    const commandBus = bus();
    const recorded = recording(commandBus);
    const { messages } = recorded;

    await commandBus.dispatch(new CreateUser("u1"));
    recorded.clear();
    await commandBus.dispatch(new CreateUser("u2"));

    expect(messages.map(({ payload }) => payload)).toEqual([new CreateUser("u2")]);
    expect(recorded.outcomes).toHaveLength(1);
  });

  it.each(["unsubscribe", Symbol.dispose] as const)("stops at %p and keeps its entries", async (stop) => {
    const commandBus = bus();
    const recorded = recording(commandBus);

    await commandBus.dispatch(new CreateUser("u1"));
    recorded[stop]();
    await commandBus.dispatch(new CreateUser("u2"));

    expect(ids(recorded.messages)).toEqual(["1"]);
  });
});
