// The types that all buses share, for the edges, which know buses by their types alone.
export type { Bus } from "../core/bus/bus.js";
export type {
  BackgroundDescription,
  BusDescription,
  BusOptions,
  CloseOptions,
  CloseReport,
  DeliveriesOptions,
  DispatchOptions,
  HandlerOptions,
  HandlersDescription,
} from "../core/bus/options.js";
export type {
  GaugesDescription,
  SagaDescription,
  WatchersDescription,
} from "../core/delivery/delivery-host.js";
