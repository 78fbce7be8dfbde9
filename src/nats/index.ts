/// <reference lib="esnext.disposable" preserve="true" />
export { natsTransport } from "./nats-transport.js";
export type { NatsTransport } from "./nats-transport.js";
export type { NatsTransportOptions } from "./options.js";
export { natsInbox } from "./inbox.js";
export type { NatsInboxOptions } from "./inbox.js";
