/// <reference lib="esnext.disposable" preserve="true" />
export { logTo } from "./log-to.js";
export type { LoggedBus } from "./log-to.js";
export { logging } from "./logging.js";
export type { LoggedOutcome, LogLevel, LogLevels, LogOptions } from "./options.js";
