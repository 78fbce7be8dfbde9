// Worker threads share no objects: a message crosses as the JSON of its envelope.
import assert from "node:assert/strict";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { CommandBus, Envelope } from "cqrx";

class CreateUser {
  constructor(userId) {
    this.userId = userId;
  }
}

const commandBus = new CommandBus();
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const sent = Envelope.of(new CreateUser("u1"), { headers: { tenant: "t1" } });
  const reply = new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  worker.postMessage(JSON.stringify(sent));
  assert.deepEqual(await reply, { id: sent.meta.id, tenant: "t1", userId: "u1", made: "CreateUser" });
  await worker.terminate();
  console.log(`done on ${process.version}`);
} else {
  parentPort.once("message", async (text) => {
    commandBus.register(CreateUser, (command, { envelope: { meta } }) => {
      const { userId, constructor } = command;
      parentPort.postMessage({ id: meta.id, tenant: meta.headers.tenant, userId, made: constructor.name });
    });
    await commandBus.dispatch(Envelope.fromJSON(text, CreateUser));
  });
}
