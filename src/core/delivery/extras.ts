import type { Headers } from "../messages/envelope.js";
import type { LiveDelivery } from "./live-delivery.js";
import type { Take } from "./consume-stream.js";

/** Equal to nothing that can be thrown. */
const NOTHING = Symbol("nothing");

/** What few deliveries need; apart, so that the others stay small. */
export class Extras {
  controller: AbortController | undefined = undefined;
  /** What is cancelled together with this delivery. */
  effects: Set<LiveDelivery> | undefined = undefined;
  /** The effects of another delivery that this one is among. */
  among: Set<LiveDelivery> | undefined = undefined;
  /** The delivery that was dispatched, of which this one is a fork. */
  origin: LiveDelivery | undefined = undefined;
  /** The detached fork that this one is, or is part of: others may wait for it, too, so that it ends by itself. */
  run: LiveDelivery | undefined = undefined;
  /** What this is an effect of, as long as both are in flight; then forgotten, or a chain of causes would keep its whole past alive. */
  cause: LiveDelivery | undefined = undefined;
  id: string | undefined = undefined;
  correlationId: string | undefined = undefined;
  causationId: string | undefined = undefined;
  headers: Headers | undefined = undefined;
  attempt = 1;
  /** How often it was tried again, in all. */
  retries = 0;
  /** Under `ask$` a stream is a result like any other and travels up to whoever asked, through the middleware. */
  streaming = false;
  /** Takes every value of a stream, under `ask$`. */
  values: Take | undefined = undefined;
  /** There was a stream to take values of, be it an empty one. */
  streamed = false;
  /** What was last reported of what ran on. */
  lateFailure: unknown = NOTHING;
}
