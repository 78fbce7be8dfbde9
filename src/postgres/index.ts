/// <reference lib="esnext.disposable" preserve="true" />
// The database
export { Database } from "./database.js";
export type { DatabaseOptions, PruneOptions, PruneReport } from "./database.js";
export type { PgClient, PgPool, Sql, SqlResult } from "./sql.js";
export { migrations } from "./migrations.js";
export { transactional } from "./transactional.js";
export type { TransactionalOptions } from "./transactional.js";
export { postgresStore } from "./store.js";
export type { PostgresStore, PostgresStoreSetOptions } from "./store.js";

// Events
export { EventStore } from "./event-store.js";
export type { AppendOptions, EventStoreOptions, LogOptions, ReadOptions } from "./event-store.js";
export type { Appended, StoreMessageOptions } from "./stored-message.js";
export type { StoredEvent } from "./log.js";
export type {
  CaughtUpOptions,
  Feed,
  FeedOptions,
  FeedState,
  RetryOptions,
  SkippedEvent,
  SkippedOptions,
} from "./feed.js";

// Commands
export { CommandQueue } from "./command-queue.js";
export type { DeadLetter, DeadLetterOptions, EnqueueOptions } from "./command-queue.js";
export type { Worker, WorkerCloseOptions, WorkOptions } from "./worker.js";

// Errors
export { ConcurrencyError, LeaseLostError, NotCaughtUpError, TransactionEndedError } from "./errors.js";
