// The types that all buses share, for the edges, which know buses by their types alone.
export type { Bus } from "../core/bus/bus.js";
export type {
  BusDescription,
  BusOptions,
  CloseOptions,
  CloseReport,
  DispatchOptions,
  HandlerOptions,
  HandlersDescription,
} from "../core/bus/options.js";
