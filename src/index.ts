/// <reference lib="esnext.disposable" preserve="true" />
// Messages
export { Command, DomainEvent, Query } from "./core/message.js";
export type { MessageKind, MessageOf, MessageType, MessageTypeStatics, ResultOf } from "./core/message.js";
export { Envelope, isEnvelope } from "./core/envelope.js";
export type { EnvelopeJson, Headers, MessageMeta } from "./core/envelope.js";
export type { StandardIssue, StandardResult, StandardSchema } from "./core/standard-schema.js";

// Buses
export { CommandBus } from "./reactive/command-bus.js";
export type { CommandBusOptions } from "./reactive/command-bus.js";
export type { CommandInput } from "./core/command-bus.js";
export type { BackgroundOptions, BackgroundRetryOptions } from "./reactive/background.js";
export { QueryBus } from "./reactive/query-bus.js";
export type { QueryResult } from "./core/query-bus.js";
export type { LiveQuery } from "./reactive/live-query.js";
export type { WatchOptions } from "./reactive/watcher.js";
export { EventBus } from "./core/event-bus.js";
export type { EventBusOptions } from "./core/event-bus.js";
export type { Bus } from "./core/bus.js";
export type {
  BusDescription,
  BusOptions,
  CloseOptions,
  CloseReport,
  DispatchOptions,
} from "./core/options.js";
export type { Clock } from "./core/clock.js";

// Handlers
export { HandlerRegistry } from "./core/registry.js";
export type { Handler, HandlerFunction, RefreshOptions } from "./core/registry.js";
export type { Cause, Delivery, HandlerContext } from "./core/delivery.js";

// Middleware
export { around } from "./core/around.js";
export type { AroundFunction, Next } from "./core/around.js";
export { shared } from "./core/shared.js";
export type { SharedOptions } from "./core/shared.js";
export { when } from "./core/when.js";
export type { Middleware } from "./core/middleware.js";

// Reacting
export { saga } from "./reactive/saga.js";
export type { SagaFunction, SagaOptions, SagaState, SagaSubscription } from "./reactive/saga-runner.js";

// Observing
export { fulfilled, ofType, rejected } from "./reactive/of-type.js";
export type { DiagnosedMessage } from "./core/diagnostics.js";
export type { Fault, FulfilledOutcome, Outcome, RejectedOutcome } from "./core/outcome.js";

// Default buses and decorators
export { command, event, query } from "./defaults/decorators.js";
export { defaultCommandBus, defaultEventBus, defaultQueryBus } from "./defaults/default-buses.js";

// Errors
export {
  BusClosedError,
  CqrsError,
  DispatchDepthExceededError,
  EventHandlersFailedError,
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  HandlerStoppedError,
  InvalidHandlerError,
  InvalidMessageError,
  InvalidMiddlewareError,
  LoopDetectedError,
  MessageDroppedError,
  MessageHeldError,
  MiddlewareCrashedError,
  NonErrorThrownError,
  NoResultError,
  SagaFailedError,
} from "./core/errors.js";
export type { CqrsErrorCode, CqrsErrorOptions } from "./core/errors.js";
