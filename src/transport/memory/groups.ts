import type { ConsumeOptions, Start } from "../transport.js";
import type { MemoryBroker } from "./broker.js";
import { StoredGroup, type Entry } from "./stored-group.js";

/** Returns the groups in the broker: one for each type of command, one or one for each partition for events. */
export function groupsOf(
  broker: MemoryBroker,
  { kind, types, group, start, order, partitions }: ConsumeOptions,
): StoredGroup[] {
  const make = (name: string, accepts: (entry: Entry) => boolean): StoredGroup =>
    broker.group(
      name,
      (log) =>
        new StoredGroup({
          kind,
          log,
          // A command waits for its handler, whenever that comes.
          after: kind === "command" ? 0 : positionBefore(start, log, broker.lastPosition),
          accepts,
          ordered: order === "key",
          reaches: (member) => broker.reaches(member),
          remove: (entry) => broker.remove(kind, entry),
        }),
      kind,
    );
  if (kind === "command") return types.map((type) => make(`c:${type}`, (entry) => entry.type === type));
  if (order === "none") return [make(`e:${group}`, () => true)];
  return Array.from({ length: partitions }, (_, at) =>
    make(`e:${group}:${at}`, ({ partition }) => partition === at),
  );
}

/** Returns whether a consumer that starts there gets an entry of the log. */
export function isAfter(start: Start, entry: Entry): boolean {
  if (start === "all") return true;
  if (start === "new") return false;
  return start instanceof Date ? entry.time >= start.getTime() : entry.position > Number(start.after);
}

/** Returns the position of the last entry that a consumer that starts there does not get. */
function positionBefore(start: Start, log: readonly Entry[], last: number): number {
  if (start === "new") return last;
  const first = log.find((entry) => isAfter(start, entry));
  return first === undefined ? (start === "all" ? 0 : last) : first.position - 1;
}
