import { expect, it } from "@jest/globals";
import { CommandBus, MessageDroppedError, type Delivery } from "cqrx";
import { EMPTY, type Observable } from "rxjs";
import { reasonOf } from "../../conformance/support.js";

class Save {}

const passes = (source: Observable<Delivery>): Observable<Delivery> => source;
const drops = (): Observable<Delivery> => EMPTY;

it.each([
  ["the operator, if it stands alone", [drops], "drops"],
  ["how many neighbours share one subscription", [passes, drops], "(one of 2 neighbouring operators)"],
])("the error for a dropped message names %s", async (_, middleware, name) => {
  const bus = new CommandBus({ middleware });
  bus.register(Save, () => undefined);
  const reason = (await reasonOf(bus.dispatch(new Save()))) as Error;
  expect(reason).toBeInstanceOf(MessageDroppedError);
  expect(reason.message).toContain(name);
});
