import { uniqueId } from "./clock.js";
import { InvalidMessageError } from "../errors.js";

/**
 * The ids that somebody injected, or one that is made up where they fail, which is told to `failed`: ids are asked for where nobody expects an error,
 * such as at the end of a bus.
 */
export function checkedIds(
  ids: (() => string) | null | undefined,
  failed: (error: unknown) => void,
): () => string {
  if (ids == null) return uniqueId;
  return () => {
    try {
      const id: unknown = ids();
      if (typeof id === "string" && id !== "") return id;
      failed(new InvalidMessageError("options.ids returned no text; the id is made up."));
    } catch (error) {
      failed(error);
    }
    return uniqueId();
  };
}
