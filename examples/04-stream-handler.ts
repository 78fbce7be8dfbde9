// A handler that is a stream: deliveries(Type) hands it the commands, and it settles each of them.
// Run: npm run example 04
// Look at: five readings are saved in two batches, and each sender gets the result of its own reading.
import { bufferTime, concatMap, filter } from "rxjs";
import { CommandBus, type Delivery } from "cqrx";
import { runWhenStarted, type Print } from "./support/run.js";

class AddReading {
  readonly celsius: number;

  constructor(celsius: number) {
    this.celsius = celsius;
  }
}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus();

  async function saveAll(batch: readonly Delivery<AddReading, void>[]): Promise<void> {
    await Promise.resolve(); // one round trip to the database for all of them
    print(`saved [${batch.map(({ message }) => message.celsius).join(", ")}]`);
    for (const delivery of batch) {
      if (delivery.message.celsius > -273.15) delivery.resolve();
      else delivery.reject(new Error("colder than possible"));
    }
  }

  // A batch is full at three, or sent after 20 ms.
  const handling = commandBus
    .deliveries(AddReading)
    .pipe(
      bufferTime(20, null, 3),
      filter((batch) => batch.length > 0),
      concatMap(saveAll),
    )
    .subscribe();

  const readings = [18.5, -300, 19.5, 20, 20.5].map((celsius) =>
    commandBus.dispatch(new AddReading(celsius)).then(
      () => print(`${celsius} is stored`),
      (error: Error) => print(`${celsius} is not: ${error.message}`),
    ),
  );
  await Promise.all(readings);
  handling.unsubscribe();
}

runWhenStarted("04-stream-handler.ts", main);
