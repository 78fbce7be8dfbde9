import type { IncomingCall, Transport } from "../../transport/transport.js";
import { ask, CRASH, text, frame, numbers, check, same, until, type Declare } from "./support.js";

/** Declares the tests of request and reply. */
export function callTests(test: Declare): void {
  test("answers calls, also many at once", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.c.a", GROUP, (call) => call.reply(frame(`re: ${text(call.frame.body)}`), true));
    const replies = await Promise.all(numbers(200, (n) => ask(near, "r.c.a", `q${n}`).last));
    same(
      replies,
      numbers(200, (n) => `re: q${n}`),
    );
  });
  test("shares calls between the processes of a group, each call once", async ({ connect }) => {
    const near = await connect();
    const counts = [0, 0, 0];
    for (const at of counts.keys()) {
      const far = await connect();
      await far.answer("r.c.a", GROUP, (call) => {
        counts[at]!++;
        call.reply(frame("ok"), true);
      });
    }
    await Promise.all(numbers(300, () => ask(near, "r.c.a", "q").last));
    same(
      counts.reduce((sum, count) => sum + count),
      300,
    );
    check(Math.min(...counts) > 0, `one process got nothing: ${counts.join()}`);
  });
  test("brings a stream of 5,000 frames in order", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.q.a", GROUP, (call) => {
      for (let n = 0; n < 5_000; n++) call.reply(frame(String(n)), false);
      call.reply(frame("end"), true);
    });
    const asked = ask(near, "r.q.a", "q");
    same(await asked.last, "end");
    same(asked.frames, numbers(5_000, String).concat("end"));
  });
  test("says at once that no process answers", async ({ connect }) => {
    same(await ask(await connect(), "r.c.none", "q").last, "HANDLER_NOT_FOUND");
  });
  test("says so, too, after the last process has left", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const listener = await far.answer("r.c.a", GROUP, (call) => call.reply(frame("ok"), true));
    same(await ask(near, "r.c.a", "q").last, "ok");
    await listener.close();
    same(await ask(near, "r.c.a", "q").last, "HANDLER_NOT_FOUND");
  });
  test("takes a cancellation to the other side before its first frame, and after it", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const calls: IncomingCall[] = [];
    let cancelled = 0;
    await far.answer("r.c.a", GROUP, (call) => {
      calls.push(call);
      call.onCancel(() => cancelled++);
    });
    const before = ask(near, "r.c.a", "q");
    await until(() => calls.length === 1);
    before.cancel();
    await until(() => cancelled === 1);
    const after = ask(near, "r.c.a", "q");
    await until(() => calls.length === 2);
    calls[1]!.reply(frame("1"), false);
    await until(() => after.frames.length === 1);
    after.cancel();
    await until(() => cancelled === 2);
    calls[1]!.reply(frame("2"), false);
    same(await canary(near, far), "ok");
    same(after.frames, ["1"]);
  });
  test("takes credit to the other side after its first frame", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const credits: number[] = [];
    await far.answer("r.q.a", GROUP, (call) => {
      call.onCredit((count) => {
        credits.push(count);
        if (count === 7) call.reply(frame("end"), true);
      });
      call.reply(frame("1"), false);
    });
    const asked = ask(near, "r.q.a", "q");
    await until(() => asked.frames.length === 1);
    asked.credit(0);
    asked.credit(7);
    same(await asked.last, "end");
    same(credits, [0, 7]);
  });
  test("carries any bytes and any address", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const addresses = ["r.c.a.b", "r.c.*", "r.c.>", "r.c. ", "r.c.ä\r\n", "r.c.%2E"];
    for (const address of addresses)
      await far.answer(address, GROUP, (call) =>
        call.reply(frame(`${address} ${text(call.frame.body)}`), true),
      );
    for (const address of addresses) same(await ask(near, address, "\0ÿ").last, `${address} \0ÿ`);
  });
  test("ends calls that wait when it is closed", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.c.a", GROUP, () => undefined);
    const waiting = ask(near, "r.c.a", "q");
    await until(() => waiting.sent());
    await near.close();
    check(["NOT_SENT", "OUTCOME_UNKNOWN", "LINK_CLOSED"].includes(await waiting.last), "it ended otherwise");
  });
  test("carries a call and a reply as large as the transport says", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.c.a", GROUP, (call) => call.reply(call.frame, true));
    const body = "x".repeat(near.features.maxBytes);
    check((await ask(near, "r.c.a", body).last) === body, "the largest frame did not come back whole");
  });
  test(
    "answers again after a restart of the server, without a hand",
    async (world) => {
      const [near, far] = [await world.connect(), await world.connect()];
      await far.answer("r.c.a", GROUP, (call) => call.reply(frame("ok"), true));
      await world.crash();
      await world.restart();
      await until(async () => (await ask(near, "r.c.a", "q").last) === "ok");
    },
    CRASH,
  );
}

const GROUP = { group: "g" };

async function canary(near: Transport, far: Transport): Promise<string> {
  const listener = await far.answer("r.c.canary", GROUP, (call) => call.reply(frame("ok"), true));
  const reply = await ask(near, "r.c.canary", "q").last;
  await listener.close();
  return reply;
}
