import { invalidOption } from "../checks.js";
import { uniqueId } from "../util/ids.js";

/**
 * Wraps the id factory that the caller injected. If it throws or does not return a text, the wrapper passes an
 * error to `report` and returns a generated id, because ids are needed where no caller can handle an error (for
 * example during close).
 */
export function checkedIds(
  ids: (() => string) | null | undefined,
  report: (error: unknown) => void,
): () => string {
  if (ids == null) return uniqueId;
  return () => {
    try {
      const id: unknown = ids();
      if (typeof id === "string" && id !== "") return id;
      report(invalidOption("new Bus()", "ids", "a function that returns a text", id));
    } catch (error) {
      report(error);
    }
    return uniqueId();
  };
}
