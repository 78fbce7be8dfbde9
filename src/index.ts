/// <reference lib="esnext.disposable" preserve="true" />
// Messages
export { Command, DomainEvent, kindOf, Query } from "./core/messages/message.js";
export type {
  MessageKind,
  MessageOf,
  MessageType,
  MessageTypeStatics,
  ResultOf,
} from "./core/messages/message.js";
export { defineCommand, defineEvent, defineQuery } from "./schema/define.js";
export type { DefineOptions, SchemaMessageClass } from "./schema/schema-message.js";
export { Envelope } from "./core/messages/envelope-reader.js";
export { isEnvelope } from "./core/messages/envelope.js";
export { decodeJson, encodeJson } from "./core/messages/json.js";
export type { EnvelopeJson, EnvelopeOptions, Headers, MessageMeta } from "./core/messages/envelope.js";
export type { StandardIssue, StandardResult, StandardSchema } from "./core/util/standard-schema.js";

// Buses
export { CommandBus } from "./buses/command-bus.js";
export type { CommandBusOptions } from "./buses/command-bus.js";
export type { CommandInput } from "./buses/command-bus.js";
export type {
  BackgroundOptions,
  BackgroundRetryOptions,
  EnqueueOptions,
  EventBackgroundOptions,
} from "./reactive/background.js";
export { QueryBus } from "./buses/query-bus.js";
export type { QueryHandlerOptions, QueryResult } from "./buses/query-bus.js";
export type { LiveQuery } from "./reactive/live-query.js";
export type { LiveSnapshot } from "./reactive/live-snapshot.js";
export type { WatchOptions } from "./reactive/watcher.js";
export { EventBus } from "./buses/event-bus.js";
export type { EventBusOptions } from "./buses/event-bus.js";
export type {
  BackgroundDescription,
  Bus,
  BusDescription,
  BusOptions,
  CloseOptions,
  CloseReport,
  DeliveriesOptions,
  DispatchOptions,
  GaugesDescription,
  HandlerOptions,
  HandlersDescription,
  SagaDescription,
  WatchersDescription,
} from "./buses/bus.js";
export { closeAll } from "./buses/close-all.js";
export type { Clock } from "./core/util/clock.js";

// Handlers
export { HandlerRegistry } from "./core/handlers/registry.js";
export type { Cause, Delivery, HandlerContext, ReplyForm } from "./core/delivery/delivery.js";

// Middleware
export { around } from "./core/pipeline/around.js";
export type { AroundFunction, Next } from "./core/pipeline/around.js";
export { shared } from "./core/pipeline/shared.js";
export type { SharedOptions } from "./core/pipeline/shared.js";
export { when } from "./core/pipeline/when.js";
export type { Middleware } from "./core/pipeline/middleware.js";

// Reacting
export { saga } from "./saga/saga.js";
export type { SagaOptions, SagaSubscription } from "./saga/saga.js";
export type { RestartOptions, SagaFunction, SagaState } from "./saga/saga-supervisor.js";

// Observing
export { fulfilled, ofType, rejected } from "./reactive/of-type.js";
export type { DiagnosedMessage } from "./core/bus/diagnostics.js";
export type { Fault, FulfilledOutcome, Outcome, Refusal, RejectedOutcome } from "./core/delivery/outcome.js";

// Default buses and decorators
export { command, event, query } from "./defaults/decorators.js";
export { registerHandlers } from "./defaults/register-handlers.js";
export type { HandlerBuses } from "./defaults/register-handlers.js";
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
  InvalidOptionsError,
  LoopDetectedError,
  MessageDroppedError,
  MessageHeldError,
  MiddlewareCrashedError,
  NonErrorThrownError,
  NoResultError,
  PayloadTooLargeError,
  QueueFullError,
  SagaFailedError,
  TwoCopiesError,
} from "./core/errors.js";
export type { CqrsErrorCode, CqrsErrorOptions } from "./core/errors.js";
export type { Handler, HandlerFunction, HandlerObject, RefreshOptions } from "./core/handlers/handler.js";
