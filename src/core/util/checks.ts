import { InvalidMiddlewareError } from "../errors.js";
import { ignored, isThenable } from "./thenable.js";

/** What a function among the options has said. A promise is true whatever comes of it, so that it is refused. @throws InvalidMiddlewareError */
export function decided(said: unknown, option: string): boolean {
  if (!isThenable(said)) return Boolean(said);
  ignored(said);
  throw new InvalidMiddlewareError(`${option} returned a promise; return true or false.`);
}
