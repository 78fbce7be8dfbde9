import { Command, DomainEvent, Query } from "../core/messages/message.js";
import type { StandardSchema } from "../core/util/standard-schema.js";
import { messageClass } from "./message-class.js";
import type { DefineOptions, SchemaMessageClass } from "./schema-message.js";

/**
 * Returns the base class of a command whose fields are those of a schema: zod, valibot, arktype, or any other Standard
 * Schema library. Name, fields, check and constructor take one line.
 *
 * Guarantees:
 * - Every instance is valid: the constructor checks its argument, and the fields hold what the schema returns.
 * - `validation()` does not check an instance again, because a value that was transformed is not a valid input.
 * - `Envelope.fromJSON` checks what it reads by `options.output`, or else by the schema, and refuses a payload that the
 *   schema would change at every reading.
 *
 * @param name - the `messageName`: the name in envelopes and logs, which no minifier changes
 * @param schema - describes an object; its answer must not be a promise
 * @throws InvalidOptionsError for a wrong name, schema or option
 * @example
 * class CreateUser extends defineCommand("users.create", z.object({ userId: z.string(), email: z.email() })) {}
 *
 * await commandBus.dispatch(new CreateUser({ userId: "u1", email: "ada@example.com" }));
 * await commandBus.dispatch(CreateUser.parse(request.body));
 */
export function defineCommand<Input, Data extends object>(
  name: string,
  schema: StandardSchema<Input, Data>,
  options?: DefineOptions<NoInfer<Data>>,
): SchemaMessageClass<Command, Input, Data> {
  return messageClass("defineCommand()", Command, name, schema, options);
}

/**
 * Returns a function that works like {@link defineCommand}, for a query. It is called twice, because TypeScript infers
 * either all type arguments of a call or none.
 *
 * @typeParam R - the type that `ask` resolves to; it is not checked at run time
 * @example
 * class GetUser extends defineQuery<User | null>()("users.get", z.object({ userId: z.string() })) {}
 *
 * const user = await queryBus.ask(new GetUser({ userId: "u1" })); // User | null
 */
export function defineQuery<R = unknown>(): <Input, Data extends object>(
  name: string,
  schema: StandardSchema<Input, Data>,
  options?: DefineOptions<NoInfer<Data>>,
) => SchemaMessageClass<Query<R>, Input, Data> {
  return (name, schema, options) => messageClass("defineQuery()", Query<R>, name, schema, options);
}

/**
 * Works like {@link defineCommand}, for an event.
 *
 * @example
 * class UserCreated extends defineEvent("users.created", z.object({ userId: z.string() })) {}
 */
export function defineEvent<Input, Data extends object>(
  name: string,
  schema: StandardSchema<Input, Data>,
  options?: DefineOptions<NoInfer<Data>>,
): SchemaMessageClass<DomainEvent, Input, Data> {
  return messageClass("defineEvent()", DomainEvent, name, schema, options);
}
