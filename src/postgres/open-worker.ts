import type { CommandBus } from "../buses/command-bus.js";
import {
  anArray,
  anObject,
  checkOption,
  checkOptions,
  milliseconds,
  positiveMilliseconds,
  required,
  wholeNumber,
  withMethods,
} from "../core/checks.js";
import type { Database } from "./database.js";
import type { RetryOptions } from "./feed.js";
import { NamedTypes } from "./named-types.js";
import { QueueWorker } from "./queue-worker.js";
import type { Worker, WorkOptions } from "./worker.js";

/** Checks the options of {@link CommandQueue.work} and starts the worker. @throws InvalidOptionsError */
export function openWorker(commandBus: CommandBus, options: WorkOptions, db: Database): Worker {
  checkOption(
    "work()",
    "commandBus",
    commandBus,
    required(withMethods("a CommandBus", "dispatch", "describe")),
  );
  checkOptions<WorkOptions>("work()", options, {
    types: required(anArray),
    concurrency: wholeNumber(1),
    leaseMs: positiveMilliseconds,
    pollMs: positiveMilliseconds,
    retry: anObject,
  });
  checkOptions<RetryOptions>(
    "work()",
    options.retry ?? {},
    { count: wholeNumber(0), delayMs: milliseconds, maxDelayMs: milliseconds },
    "retry.",
  );
  const types = new NamedTypes("work()", options.types);
  return db.outside(() => new QueueWorker(commandBus, options, types, db));
}
