import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  CommandBus,
  MessageHeldError,
  MiddlewareCrashedError,
  shared,
  when,
  type Delivery,
  type Fault,
} from "cqrx";
import { Subject, delayWhen, finalize, ignoreElements, merge, type Observable } from "rxjs";
import { reasonOf } from "../../conformance/support.js";
import { canaries, withTraps } from "../../support/traps.js";

class Save {}

describe("the hold of a shared middleware", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  function holding(holdTimeoutMs: number) {
    const gate = new Subject<unknown>();
    const hold = (source: Observable<Delivery>): Observable<Delivery> => source.pipe(delayWhen(() => gate));
    const bus = new CommandBus({ middleware: [shared(hold, { holdTimeoutMs })] });
    const handled: object[] = [];
    bus.register(Save, (message) => void handled.push(message));
    return { bus, gate, handled };
  }

  it("has one timer for all messages, and none when the last of them has been released", async () => {
    const { bus, gate } = holding(100);
    const sent = [bus.dispatch(new Save()), bus.dispatch(new Save())];
    expect(jest.getTimerCount()).toBe(1);
    gate.next(0);
    await Promise.all(sent);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("ends for a message that is aborted meanwhile: no timer is left, and the operator may still emit it", async () => {
    const { bus, gate, handled } = holding(100);
    const leaving = new AbortController();
    const sent = reasonOf(bus.dispatch(new Save(), { signal: leaving.signal }));
    leaving.abort(new Error("left"));
    expect(await sent).toEqual(new Error("left"));
    expect(jest.getTimerCount()).toBe(0);
    gate.next(0);
    expect(handled).toEqual([]);
  });

  it("goes on for the others when one message is aborted", async () => {
    const { bus } = holding(100);
    const leaving = new AbortController();
    const left = reasonOf(bus.dispatch(new Save(), { signal: leaving.signal }));
    const stays = reasonOf(bus.dispatch(new Save()));
    leaving.abort(new Error("left"));
    await left;
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(100);
    expect(await stays).toBeInstanceOf(MessageHeldError);
  });

  it("is over at the deadline of each message, not before", async () => {
    const { bus } = holding(100);
    const settled: string[] = [];
    void bus.dispatch(new Save()).catch(({ message }: Error) => settled.push(`first: ${message}`));
    jest.advanceTimersByTime(60);
    void bus.dispatch(new Save()).catch(() => settled.push("second"));
    await jest.advanceTimersByTimeAsync(39);
    expect(settled).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(settled).toEqual([expect.stringMatching(/^first: .*\b100\b/)]);
    await jest.advanceTimersByTimeAsync(59);
    expect(settled).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(settled).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it("is endless without a limit, and needs no timer for that", () => {
    const { bus } = holding(Infinity);
    void bus.dispatch(new Save()).catch(() => undefined);
    expect(jest.getTimerCount()).toBe(0);
    expect(bus.inFlight).toBe(1);
  });

  it("names the message that an operator held when it crashed, and none in the report of the crash", async () => {
    const crash = new Subject<never>();
    const bus = new CommandBus({
      middleware: [shared(() => crash as Observable<Delivery>)],
    });
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    bus.register(Save, () => undefined);
    const sent = reasonOf(bus.dispatch(new Save()));
    const cause = new Error("down");
    crash.error(cause);
    const reason = (await sent) as MiddlewareCrashedError;
    expect(reason).toBeInstanceOf(MiddlewareCrashedError);
    expect(reason).toMatchObject({
      message: expect.stringContaining("failed while it held Save"),
      messageType: "Save",
      cause,
    });
    const [{ error }] = faults as [Fault];
    expect(error).toMatchObject({ message: expect.stringMatching(/ failed; /), cause });
    expect(faults).toHaveLength(1);
  });
});

describe("a shared middleware whose teardown throws", () => {
  it("rejects the messages that it held when it fails, and reports the teardown, too", () =>
    withTraps(async () => {
      const [failure, broken] = [new Error("no"), new Error("teardown")];
      const input$ = new Subject<never>();
      const failing = (source: Observable<Delivery>): Observable<Delivery> =>
        merge(source.pipe(ignoreElements()), input$).pipe(
          finalize(() => {
            throw broken;
          }),
        );
      const bus = new CommandBus({ middleware: [when(Save, shared(failing))] });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Save, () => undefined);
      const sent = reasonOf(bus.dispatch(new Save()));
      input$.error(failure);
      expect(bus.inFlight).toBe(0);
      expect(await sent).toMatchObject({ name: "MiddlewareCrashedError", cause: failure });
      expect(faults.map(({ kind }) => kind)).toEqual(["observer", "middleware"]);
      await canaries(bus);
    }));
});
