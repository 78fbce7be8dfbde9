import type { EventBus } from "../buses/event-bus.js";
import {
  anArray,
  anObject,
  check,
  checkOption,
  checkOptions,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  required,
  wholeNumber,
  withMethods,
} from "../core/checks.js";
import type { Feed, FeedOptions, RetryOptions } from "./feed.js";
import { LogFeed, type FeedSource } from "./log-feed.js";

const RETRY_RULES = { count: wholeNumber(0), delayMs: milliseconds, maxDelayMs: milliseconds };
const aName = check(
  "a text of 1 to 200 characters that does not start with $",
  (value) => typeof value === "string" && /^[^$][^]{0,199}$/.test(value),
);

/** Checks the options of {@link EventStore.feed} and starts the feed. @throws InvalidOptionsError */
export function openFeed(name: string, eventBus: EventBus, options: FeedOptions, source: FeedSource): Feed {
  checkOption("feed()", "name", name, required(aName));
  checkOption("feed()", "eventBus", eventBus, required(withMethods("an EventBus", "publish", "describe")));
  checkOptions<FeedOptions>("feed()", options, {
    types: anArray,
    batchSize: wholeNumber(1),
    pollMs: positiveMilliseconds,
    retry: anObject,
    poison: oneOf("stop", "skip"),
  });
  checkOptions<RetryOptions>("feed()", options.retry ?? {}, RETRY_RULES, "retry.");
  const types = source.types.subset("feed()", options.types);
  return source.db.outside(() => new LogFeed(name, eventBus, options, { ...source, types }));
}
