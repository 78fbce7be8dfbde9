import { InvalidMessageError } from "../errors.js";
import type { MessageType } from "../messages/message.js";
import { isThenable } from "./thenable.js";

/**
 * The part of Standard Schema that cqrx reads, so that zod, valibot, arktype and others work without an adapter.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * The value as a schema returns it, or a promise of it when the schema is asynchronous.
 *
 * @throws InvalidMessageError with the issues, and the path of the first one below `path`.
 */
export function parsed(schema: StandardSchema, value: unknown, path: string, messageType: string): unknown {
  const outcome = (result: StandardResult<unknown>): unknown => {
    if (typeof result !== "object" || result === null)
      throw new InvalidMessageError(
        `The schema of ${messageType} returned no result; its validate returns { value } or { issues }.`,
        { path, messageType },
      );
    if (result.issues === undefined) return result.value;
    const [issue] = result.issues;
    const at = path + (issue?.path ?? []).map(pathStep).join("");
    // Without the library's own text, which may quote the value.
    throw new InvalidMessageError(`${at} does not fit the schema; see issues.`, {
      path: at,
      // Not as they are: some libraries put the input into them, and no error holds a payload.
      issues: result.issues.map(({ message, path }) => ({ message, path: path && Array.from(path, keyOf) })),
      messageType,
    });
  };
  const result = schema["~standard"].validate(value);
  return isThenable(result) ? result.then(outcome) : outcome(result);
}

/** `.key` or `[0]`. */
function pathStep(step: PropertyKey | { readonly key: PropertyKey }): string {
  const key = keyOf(step);
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`;
}

function keyOf(step: PropertyKey | { readonly key: PropertyKey }): PropertyKey {
  return typeof step === "object" ? step.key : step;
}

/** Data as an instance of a message class, without calling its constructor. */
export function asInstance<M extends object>(data: object, type: MessageType<M>): M {
  if (data instanceof type) return data;
  // Defined, not assigned: setters and inherited accessors of the class must not see data from outside.
  return Object.create(type.prototype as object, Object.getOwnPropertyDescriptors(data)) as M;
}
