import { InvalidMessageError } from "../core/errors.js";
import { deepEqual } from "../core/messages/deep-equal.js";
import { isFieldsOnly } from "../core/messages/hidden-state.js";
import { parsed } from "../core/messages/validate.js";
import type { StandardSchema } from "../core/util/standard-schema.js";
import { ignored, isThenable } from "../core/util/thenable.js";

/**
 * Returns the fields that a schema makes of a value.
 *
 * @throws InvalidMessageError with the issues of the schema, or if it returns a promise or something without fields
 */
export function checkedBy(schema: StandardSchema, value: unknown, messageType: string): object {
  const data = parsed(schema, value, "payload", messageType);
  if (isFieldsOnly(data)) return data;
  const refuse = (problem: string): never => {
    throw new InvalidMessageError(`payload ${problem}.`, { path: "payload", messageType });
  };
  if (!isThenable(data))
    return refuse("is not an object with fields after the schema; a message needs fields");
  ignored(data);
  // zod answers with a promise where a transform or a refinement throws.
  return refuse(
    "has an asynchronous schema, or one that throws; a constructor cannot wait, " +
      "so check what takes time in the handler",
  );
}

/**
 * Returns the fields that a schema makes of a payload that was written before, if reading is safe without a schema for
 * it: the payload comes through as it is, or changed in a way that is the same each time, such as a default for a field
 * that older payloads do not have.
 *
 * @throws InvalidMessageError
 */
export function reread(schema: StandardSchema, payload: object, messageType: string, source: string): object {
  const read = (value: object): object => checkedBy(schema, value, messageType);
  const cure = `give ${source} the option { output: schema } for what its schema returns.`;
  try {
    const data = read(payload);
    const isSafe =
      deepEqual(data, payload) || (deepEqual(read(payload), data) && deepEqual(read(data), data));
    if (isSafe) return data;
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error;
    const { path, issues } = error;
    const text = `${error.message} If the schema transforms its input, ${cure}`;
    throw new InvalidMessageError(text, { path, issues, messageType });
  }
  throw new InvalidMessageError(`payload is changed by the schema whenever it is read; ${cure}`, {
    path: "payload",
    messageType,
  });
}
