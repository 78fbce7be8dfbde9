import type { Headers, MessageMeta } from "../core/messages/envelope.js";

/**
 * A message as a CloudEvent 1.0 in structured JSON, for consumers that do not use this library.
 *
 * | CloudEvents | envelope |
 * | --- | --- |
 * | `id`, `type`, `time`, `data` | `meta.id`, `meta.name`, `meta.time`, the payload |
 * | `source` | the `source` of the link |
 * | `dataversion`, `correlationid`, `causationid` | `meta.version`, `meta.correlationId`, `meta.causationId` |
 * | `partitionkey` | the key of `route` |
 * | `traceparent`, `tracestate` | the headers of these names |
 * | `cqrxheaders` | all headers, as JSON text |
 */
export interface CloudEventJson {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: unknown;
  readonly [extension: string]: unknown;
}

/** Returns the CloudEvent of an envelope's data. */
export function toCloudEvent(
  { meta, payload }: { readonly meta: MessageMeta; readonly payload: unknown },
  source: string,
  key: string | undefined,
): CloudEventJson {
  const { traceparent, tracestate } = meta.headers;
  return {
    specversion: "1.0",
    id: meta.id,
    source,
    type: meta.name,
    time: new Date(meta.time).toISOString(),
    datacontenttype: "application/json",
    dataversion: String(meta.version),
    correlationid: meta.correlationId,
    ...(meta.causationId === undefined ? {} : { causationid: meta.causationId }),
    ...(key === undefined ? {} : { partitionkey: key }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(Object.keys(meta.headers).length === 0 ? {} : { cqrxheaders: JSON.stringify(meta.headers) }),
    data: payload,
  };
}

/** Returns the data of the envelope that a CloudEvent holds, also of one that another program made. */
export function fromCloudEvent(event: { readonly [name: string]: unknown }): {
  meta: { readonly [name: string]: unknown };
  payload: unknown;
} {
  const { id, type, time, dataversion = "1", correlationid, causationid, traceparent, tracestate } = event;
  const headers: Headers = {
    ...(typeof event.cqrxheaders === "string" ? (JSON.parse(event.cqrxheaders) as Headers) : {}),
    ...(traceparent === undefined ? {} : { traceparent: traceparent as string }),
    ...(tracestate === undefined ? {} : { tracestate: tracestate as string }),
  };
  return {
    meta: {
      id,
      name: type,
      version: Number(dataversion),
      headers,
      ...(typeof time === "string" ? { time: Date.parse(time) } : {}),
      ...(correlationid === undefined ? {} : { correlationId: correlationid }),
      ...(causationid === undefined ? {} : { causationId: causationid }),
    },
    payload: event.data,
  };
}
