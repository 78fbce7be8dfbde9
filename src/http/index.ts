/// <reference lib="esnext.disposable" preserve="true" />
export { eventStream } from "./event-stream.js";
export type { EventStreamOptions, WebRequest } from "./event-stream.js";
export { sendEvents } from "./send-events.js";
export type { NodeRequest, NodeResponse } from "./send-events.js";
export type { EventOptions, EventSourceOf } from "./event-chunks.js";
export type { ServerSentEvent } from "./format-event.js";
export { outcomeEvent } from "./outcome-event.js";
export { httpStatusOf } from "./http-status.js";
export { SlowClientError } from "./errors.js";
