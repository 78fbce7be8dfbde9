import { expect, it } from "@jest/globals";
import { CommandBus, Envelope } from "cqrx";
import {
  ID_HEADER,
  Link,
  memoryTransport,
  TYPE_HEADER,
  type ConsumeOptions,
  type Inbox,
  type StoredDelivery,
  type Transport,
} from "cqrx/transport";
import { canaries } from "../support/traps.js";
import { PlaceOrder } from "./support.js";

/** The longest wait that `setTimeout` takes. */
const LONGEST = 2 ** 31 - 1;

it("refuses wrong options of close(), and goes on", async () => {
  const bus = new CommandBus();
  const link = new Link(await memoryTransport());
  const serving = await link.serve(bus, [PlaceOrder]);
  expect(() => serving.close({ timeoutMs: NaN })).toThrow(
    "serving.close(): timeoutMs must be a number of milliseconds from 0",
  );
  expect(link.describe().served).toHaveLength(1);
  await link.close();
  await canaries(bus);
});

it("shortens durations that no timer takes, because such a timer fires at once", async () => {
  const memory = await memoryTransport();
  const asked: ConsumeOptions[] = [];
  let handle: (delivery: StoredDelivery) => Promise<void> = () => Promise.resolve();
  const transport: Transport = {
    name: memory.name,
    features: memory.features,
    state$: memory.state$,
    deadLetters: memory.deadLetters,
    call: (...call) => memory.call(...call),
    answer: (...answer) => memory.answer(...answer),
    append: (...append) => memory.append(...append),
    read: (...read) => memory.read(...read),
    close: () => memory.close(),
    consume(options, handler) {
      asked.push(options);
      handle = handler;
      return Promise.resolve([]);
    },
  };
  const bus = new CommandBus();
  const link = new Link(transport);
  let claim: "claimed" | "running" = "running";
  const inbox: Inbox = {
    claim: () => Promise.resolve(claim),
    done: () => Promise.resolve(),
    release: () => Promise.resolve(),
  };
  const endless = { ackWaitMs: Infinity, leaseMs: Infinity, backoffMs: [Infinity] };
  const registration = bus.register(PlaceOrder, () => Promise.reject(new Error("busy")));
  await link.serve(bus, [PlaceOrder], { ...endless, inbox, accept: ["stored"] });
  expect(asked.map(({ ackWaitMs }) => ackWaitMs)).toEqual([LONGEST]);

  const waits: number[] = [];
  const envelope = Envelope.of(new PlaceOrder("o1"));
  const delivery: StoredDelivery = {
    frame: {
      headers: { [TYPE_HEADER]: envelope.meta.name, [ID_HEADER]: envelope.meta.id },
      body: new TextEncoder().encode(JSON.stringify(envelope)),
    },
    attempt: 1,
    position: "1",
    ack: () => Promise.resolve(),
    retry: (delayMs) => Promise.resolve(void waits.push(delayMs)),
    dead: () => Promise.resolve(),
  };
  await handle(delivery);
  claim = "claimed";
  await handle(delivery);
  expect(waits).toEqual([Math.ceil(LONGEST / 4), LONGEST]);
  await link.close();
  registration.unsubscribe();
  await canaries(bus);
});
