export type { LocalInspector } from "./attached.js";
export { inspect, type Inspector, type ListenOptions } from "./inspector.js";
export type { Listening } from "./listen.js";
export type { NodeRequest, NodeResponse } from "./http.js";
export type { InspectOptions } from "./options.js";
export type { Describable, Inspected } from "./parts.js";
export type * from "./protocol.js";
