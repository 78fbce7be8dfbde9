/// <reference lib="esnext.disposable" preserve="true" />
export { tracing } from "./tracing.js";
export type { TracingOptions } from "./tracing.js";
export { metering } from "./metering.js";
export type { MeteringOptions } from "./metering.js";
export { traceHeaders } from "./propagation.js";
