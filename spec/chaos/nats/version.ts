import { versionText } from "../../../examples/support/nats-server.js";

/** Returns whether the installed server is older than a version, such as `2.10.16`. */
export function isOlderThan(version: string): boolean {
  const numbers = (text: string): number[] => (/\d+(\.\d+)*/.exec(text)?.[0] ?? "").split(".").map(Number);
  const installed = numbers(versionText);
  const other = numbers(version);
  const at = other.findIndex((number, index) => number !== installed[index]);
  return at >= 0 && (installed[at] ?? 0) < other[at]!;
}
