/// <reference lib="esnext.disposable" preserve="true" />
// Links
export { Link } from "./link.js";
export type { LinkOptions, RouteOptions, ServeOptions } from "./options.js";
export type { Serving } from "./serving.js";
export type { LinkedBus } from "./served-bus.js";
export type { ErrorType } from "./error-catalog.js";
export type { StoredFormat } from "./stored-frames.js";

// In memory
export { memoryTransport } from "./memory/memory-transport.js";
export type { MemoryTransportOptions } from "./memory/memory-transport.js";
export { MemoryBroker } from "./memory/broker.js";
export type { MemoryBrokerOptions } from "./memory/broker.js";
export { memoryInbox } from "./inbox.js";
export type { Inbox, MemoryInboxOptions } from "./inbox.js";

// Errors
export {
  LinkClosedError,
  NotSentError,
  OutcomeUnknownError,
  PayloadTooLargeError,
  RemoteError,
  SlowConsumerError,
  UnrecoverableError,
} from "./errors.js";

// The seam, for other transports
export { parseStoredAddress } from "./address.js";
export type { StoredAddress } from "./address.js";
export { StateSource } from "./state.js";
export { GROUP_HEADER, headerText, ID_HEADER, REPLAYS_HEADER, TYPE_HEADER } from "./transport.js";
export type {
  AnswerOptions,
  AppendOptions,
  AppendResult,
  CallEvents,
  ConsumeOptions,
  DeadLetter,
  DeadLetterReason,
  DeadLetters,
  Frame,
  IncomingCall,
  LinkState,
  Listener,
  OutgoingCall,
  Start,
  StoredDelivery,
  Transport,
  TransportFeatures,
} from "./transport.js";
