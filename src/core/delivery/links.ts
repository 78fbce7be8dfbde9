import type { Headers } from "../messages/envelope.js";
import type { Cancellable, CancellationLinks } from "./cancellation.js";
import type { CausalLinks } from "./causality.js";
import type { Consumption, StreamLinks } from "./consume-stream.js";
import type { MetadataLinks } from "./metadata.js";
import type { WorkLinks } from "./unfinished-work.js";

/** Equal to no value that can be thrown. */
const NOTHING = Symbol("nothing");

/** State that few deliveries need, in an object of its own so that the others stay small. */
export class Links<D extends Cancellable>
  implements CancellationLinks, CausalLinks<D>, MetadataLinks, StreamLinks, WorkLinks
{
  /** Private, so that neither JSON nor an inspection of a context that is logged by mistake shows it. */
  #local: object | undefined = undefined;
  cancellation: unknown = NOTHING;
  controller: AbortController | undefined = undefined;
  effects: Set<Cancellable> | undefined = undefined;
  among: Set<Cancellable> | undefined = undefined;
  origin: D | undefined = undefined;
  run: D | undefined = undefined;
  cause: D | undefined = undefined;
  attempt = 1;
  attempts = 1;
  id: string | undefined = undefined;
  correlationId: string | undefined = undefined;
  causationId: string | undefined = undefined;
  headers: Headers | undefined = undefined;
  consumption: Consumption | undefined = undefined;
  lateFailure: unknown = NOTHING;
  unfinished: Set<Promise<unknown>> | undefined = undefined;

  get local(): object | undefined {
    return this.#local;
  }

  set local(local: object | undefined) {
    this.#local = local;
  }
}
