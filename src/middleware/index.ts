// Ready-made middleware, one file each.
export { overlap } from "./overlap.js";
export type { OverlapOptions } from "./overlap.js";
export { timeLimit } from "./time-limit.js";
export type { TimeLimitOptions } from "./time-limit.js";
export { isRetryable, retrying } from "./retrying.js";
export type { RetryingOptions } from "./retrying.js";
export { validation } from "./validation.js";
export type { ValidationOptions } from "./validation.js";
export { authorization } from "./authorization.js";
export type { AuthorizationCheck } from "./authorization.js";
export { idempotency } from "./idempotency.js";
export type { IdempotencyOptions, IdempotencyRecord } from "./idempotency.js";

// For queries
export { caching } from "./caching.js";
export type { CacheEntry, CachingOptions } from "./caching.js";
export { coalescing } from "./coalescing.js";
export type { CoalescingOptions } from "./coalescing.js";
export { batching } from "./batching.js";
export type { BatchingOptions } from "./batching.js";
export { messageKey } from "../core/messages/message-key.js";
export type { KeyFunction } from "./internal/key.js";
export type { Store, StoreOptions, StoreSetOptions } from "./internal/store.js";

// Errors
export { QueueFullError } from "../core/errors.js";
export {
  BatchResultError,
  BusyError,
  IdempotencyConflictError,
  SelfDeadlockError,
  StoreFailedError,
  SupersededError,
  TimeLimitError,
  UnauthorizedError,
} from "./errors.js";
