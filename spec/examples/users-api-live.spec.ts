import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Envelope } from "cqrx";
import { pino } from "pino";
import { buildApp, type UsersApi } from "../../examples/users-api/app.js";
import { ChangeEmail, CreateUser, DeleteUser, GetUser } from "../../examples/users-api/messages.js";
import { macrotask } from "../support/traps.js";
import { EventReader } from "./support/sse.js";

let api: UsersApi;
let url: string;

beforeEach(async () => {
  api = buildApp(pino({ level: "silent" }));
  await api.app.listen({ port: 0, host: "127.0.0.1" });
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
});

afterEach(() => api.close(0));

/** A stream of events, and the user in the next of them. */
async function open(path: string): Promise<{ next(): Promise<unknown>; close(): void }> {
  const controller = new AbortController();
  const response = await fetch(url + path, { signal: controller.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const reader = new EventReader(response);
  return {
    async next() {
      const event = await reader.next();
      return event === undefined ? "the end" : [event.type, JSON.parse(event.data)];
    },
    close: () => controller.abort(),
  };
}

describe("GET /users/:id/live", () => {
  const ada = { userId: "u1", email: "ada@example.com" };
  const admin = { headers: { "x-role": "admin" } };
  const create = (): Promise<void> =>
    api.buses.commandBus.dispatch(new CreateUser({ userId: "u1", email: "ada@example.com" }));

  it("sends the user, and again after each change, the end of it included", async () => {
    const { commandBus } = api.buses;
    await create();
    const asked: Envelope[] = [];
    api.buses.queryBus.messages$.subscribe((envelope) => asked.push(envelope));
    const live = await open("/users/u1/live");
    expect(asked[0]?.meta.headers).toEqual({ "x-request-id": expect.any(String) });
    expect(await live.next()).toEqual(["user", ada]);
    await commandBus.dispatch(new CreateUser({ userId: "u2", email: "eve@example.com" }));
    await commandBus.dispatch(new ChangeEmail({ userId: "u1", email: "ada@example.org" }));
    expect(await live.next()).toEqual(["user", { ...ada, email: "ada@example.org" }]);
    await commandBus.dispatch(new DeleteUser({ userId: "u1" }), admin);
    expect(await live.next()).toEqual(["user", null]);
    await create();
    expect(await live.next()).toEqual(["user", ada]);
    live.close();
  });

  it("asks once for a change, for any number of watchers, and not at all without one", async () => {
    const { commandBus, queryBus } = api.buses;
    await create();
    const streams = await Promise.all(Array.from({ length: 10 }, () => open("/users/u1/live")));
    for (const { next } of streams) expect(await next()).toEqual(["user", ada]);
    let asked = 0;
    queryBus.messages$.subscribe(({ payload }) => (asked += Number(payload instanceof GetUser)));
    await commandBus.dispatch(new ChangeEmail({ userId: "u1", email: "ada@example.org" }));
    for (const { next } of streams)
      expect(await next()).toMatchObject(["user", { email: "ada@example.org" }]);
    expect(asked).toBe(1);
    for (const { close } of streams) close();
    while ((await connections()) > 0) await macrotask();
    await commandBus.dispatch(new ChangeEmail({ userId: "u1", email: "ada@example.net" }));
    expect([asked, queryBus.inFlight]).toEqual([1, 0]);
  });

  it("answers 404 for a user that there is not, and 422 for an id that cannot be one", async () => {
    expect((await fetch(`${url}/users/nobody/live`)).status).toBe(404);
    expect((await fetch(`${url}/users/a%20b/live`)).status).toBe(422);
  });

  it("ends when the service does", async () => {
    await create();
    const live = await open("/users/u1/live");
    await live.next();
    await api.close(1_000);
    expect(await live.next()).toBe("the end");
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => get(url).on("error", resolve));
    expect(error.code).toBe("ECONNREFUSED");
  });
});

function connections(): Promise<number> {
  return new Promise((resolve, reject) =>
    api.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
