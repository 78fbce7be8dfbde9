import type { Headers, MessageMeta } from "../core/messages/envelope.js";
import { parseJson } from "../core/messages/parse-json.js";

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
  readonly time?: string;
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
  const time = new Date(meta.time).toISOString();
  return {
    specversion: "1.0",
    id: meta.id,
    source,
    type: meta.name,
    // RFC 3339 has years of four digits only.
    ...(time.length === 24 ? { time } : {}),
    datacontenttype: "application/json",
    dataversion: String(meta.version),
    correlationid: meta.correlationId,
    ...(meta.causationId === undefined ? {} : { causationid: meta.causationId }),
    // An attribute of CloudEvents is never empty.
    ...(key ? { partitionkey: key } : {}),
    ...(traceparent ? { traceparent } : {}),
    ...(tracestate ? { tracestate } : {}),
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
    ...(typeof event.cqrxheaders === "string"
      ? (parseJson(event.cqrxheaders, "cqrxheaders") as Headers)
      : {}),
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
