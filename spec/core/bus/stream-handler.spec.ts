import { describe, expect, it } from "@jest/globals";
import { around, CommandBus, EventBus, HandlerStoppedError, when, type Delivery, type Fault } from "cqrx";
import { bufferCount, map } from "rxjs";
import type { Engine } from "../../../src/core/bus/engine.js";
import { streamHandler } from "../../../src/core/bus/stream-handler.js";
import { HandlerRegistry } from "../../../src/core/handlers/registry.js";
import { reasonOf } from "../../conformance/support.js";
import { canaries, withTraps } from "../../support/traps.js";

class Save {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}

describe("a stream handler", () => {
  it("detaches from the bus when it ends, so that a bus keeps none of the handlers that came and went", () => {
    let attached = 0;
    const registry = new HandlerRegistry();
    const host = { closed: false, registry, attach: () => (attached++, () => attached--) };
    const handler = streamHandler(Save, host as unknown as Engine);
    for (let round = 0; round < 3; round++) {
      const subscription = handler.subscribe();
      expect(attached).toBe(1);
      subscription.unsubscribe();
      expect(attached).toBe(0);
    }
  });

  it("that throws on a batch of deliveries rejects each of them, and is reported once", async () => {
    const bus = new CommandBus();
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    const error = new RangeError("full");
    bus
      .deliveries(Save)
      .pipe(bufferCount(2))
      .subscribe(() => {
        throw error;
      });
    const sent = [1, 2].map((n) => reasonOf(bus.dispatch(new Save(n))));
    expect(await Promise.all(sent)).toEqual([error, error]);
    expect(faults).toEqual([{ kind: "observer", source: "deliveries(Save)", error }]);
    expect(bus.inFlight).toBe(0);
  });

  it("that throws on something else than deliveries is reported, and the delivery stays its own to settle", async () => {
    const bus = new CommandBus();
    const faults: Fault[] = [];
    bus.faults$.subscribe(({ error }) => faults.push(error as never));
    const taken: Delivery<Save>[] = [];
    bus
      .deliveries(Save)
      .pipe(map((delivery) => [null, 1, {}, void taken.push(delivery)]))
      .subscribe(() => {
        throw new RangeError("not mine");
      });
    const sent = bus.dispatch(new Save());
    expect(faults).toEqual([new RangeError("not mine")]);
    expect(bus.inFlight).toBe(1);
    taken[0]!.resolve();
    await sent;
  });

  it("rejects its unsettled deliveries, and only those, and reports an end only if it left some", async () => {
    const bus = new CommandBus();
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    const settling = bus.deliveries(Save).subscribe((delivery) => delivery.resolve());
    await bus.dispatch(new Save());
    settling.unsubscribe();
    expect(faults).toEqual([]);

    const keeping = bus.deliveries(Save).subscribe();
    const sent = bus.dispatch(new Save());
    keeping.unsubscribe();
    expect(await reasonOf(sent)).toBeInstanceOf(HandlerStoppedError);
    expect(faults.map(({ kind, source }) => [kind, source])).toEqual([["handler", "deliveries(Save)"]]);
  });
});

describe("a stream handler that ends before a message reaches it", () => {
  it("rejects the message at once", () =>
    withTraps(async () => {
      const ending = around<Save>((_, next) => {
        handler.unsubscribe();
        return next();
      });
      const bus = new CommandBus({ middleware: [when(Save, ending)] });
      const handler = bus.deliveries(Save).subscribe(({ resolve }) => resolve());
      const sent = reasonOf(bus.dispatch(new Save()));
      expect(bus.inFlight).toBe(0);
      expect(await sent).toBeInstanceOf(HandlerStoppedError);
      await canaries(bus);
    }));

  it("fails an event whose first handler ended it", () =>
    withTraps(async () => {
      const bus = new EventBus();
      bus.register(Save, () => handler.unsubscribe());
      const handler = bus.deliveries(Save).subscribe(({ resolve }) => resolve());
      const published = reasonOf(bus.publish(new Save()));
      expect(await published).toMatchObject({ errors: [expect.any(HandlerStoppedError)] });
      await canaries(bus);
    }));
});
