import type { StandardSchema } from "../core/util/standard-schema.js";

/**
 * The class that `defineCommand`, `defineQuery` and `defineEvent` return. Extend it, so that the message has a name of
 * its own in code, and can have methods.
 *
 * @typeParam Base - `Command`, `Query<R>` or `DomainEvent`
 * @typeParam Input - what the schema takes, and so does the constructor
 * @typeParam Data - what the schema returns: the fields of an instance
 */
export interface SchemaMessageClass<Base extends object, Input, Data extends object> {
  /**
   * Checks and transforms `input`, so that every instance is valid. Without an argument the input is `{}`.
   *
   * @throws InvalidMessageError with the `issues` of the schema, and the `path` of the first one
   */
  new (...input: NoFields extends Input ? [input?: Input] : [input: Input]): Base & Readonly<Data>;
  readonly messageName: string;
  /**
   * Makes an instance of data whose type is not known, such as the body of a request: `new`, for untyped data.
   *
   * @throws InvalidMessageError with the `issues` of the schema, and the `path` of the first one
   */
  parse<M extends object>(this: new (input: Input) => M, data: unknown): M;
}

type NoFields = Record<never, never>;

/** Options of `defineCommand`, `defineQuery` and `defineEvent`. */
export interface DefineOptions<Data extends object = object> {
  /**
   * Checks the payload of an envelope that is read from JSON: a schema that takes what the first one returns. A schema
   * needs it that transforms its input, or makes a default that differs each time.
   *
   * @defaultValue the schema itself
   */
  readonly output?: StandardSchema<unknown, Data> | undefined;
}
