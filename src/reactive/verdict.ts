import { refuse } from "../core/errors.js";
import { asPromise, isThenable } from "../core/thenable.js";

/** What a function among the options has said. A promise is true whatever comes of it, so that it is refused. @throws InvalidMessageError */
export function verdict(said: unknown, option: string): boolean {
  if (!isThenable(said)) return Boolean(said);
  asPromise(said).then(undefined, () => undefined);
  return refuse(`options.${option}`, "returned a promise; return true or false");
}
