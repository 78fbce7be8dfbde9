export { mount, type Mounted, type MountOptions } from "./mount.js";
