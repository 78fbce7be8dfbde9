/// <reference lib="esnext.disposable" preserve="true" />
// Middleware as operators
export { delivery, envelope } from "./delivery.js";
export type { TestDelivery, TestDeliveryOptions } from "./delivery.js";
export { marbles } from "./marbles.js";

// Buses
export { recording } from "./recording.js";
export type { Recording } from "./recording.js";
export { manualClock, sequentialIds } from "./deterministic.js";
export type { ManualClock } from "./deterministic.js";

// Whole scenarios
export { scenario } from "./scenario.js";
export type { Played } from "./play.js";
export type { ExpectedError, Scenario, ScenarioEnd } from "./scenario.js";
export { settleAll } from "./settle-all.js";
export type { SettlingBus } from "./settle-all.js";

// Transports
export { transportSuite } from "./transport-suite.js";
export type { SuiteFeatures, TestRunner, TransportWorld } from "./transport-suite.js";

// Faults
export { faulty, InjectedFaultError, randomPlan } from "./faulty.js";
export type { FaultPlan, FaultyHandler, InjectedFault, RandomPlanOptions } from "./faulty.js";
