import { createMiddleware, type Step } from "../core/pipeline/form.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { InvalidMessageError, InvalidMiddlewareError } from "../core/errors.js";
import { nameOf, typeOf, type MessageType } from "../core/messages/message.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { asInstance, parsed } from "../core/messages/validate.js";
import type { StandardSchema } from "../core/util/standard-schema.js";
import { isThenable } from "../core/util/thenable.js";
import { goOn } from "./authorization.js";
import { checkOptions } from "./internal/options.js";

export interface ValidationOptions {
  /** Schemas by message type; they come before the `static schema` of a class. @defaultValue none */
  readonly schemas?: ReadonlyMap<MessageType, StandardSchema>;
}

/**
 * Checks messages by a schema of any Standard Schema library (zod, valibot, arktype, ...), and hands on what the schema makes of them: trimmed,
 * coerced, with defaults. Messages of types that have no schema pass.
 *
 * Guarantees: what does not fit is rejected with `InvalidMessageError`, whose `issues` are the schema's and whose `path` is that of the first.
 * The handler gets an instance of the message's class, made without calling its constructor; the envelope keeps the message as it was sent.
 * Synchronous when the schema is.
 *
 * @example
 * class CreateUser {
 *   static readonly schema = z.object({ userId: z.string(), email: z.email() });
 *   constructor(readonly userId: string, readonly email: string) {}
 * }
 * const bus = new CommandBus({ middleware: [validation()] });
 */
export function validation<M extends object = object, R = unknown>(
  options: ValidationOptions = {},
): Middleware<M, R> {
  checkOptions("validation", options);
  const { schemas } = options;
  const map = schemas as Partial<ReadonlyMap<MessageType, StandardSchema>> | null | undefined;
  if (map !== undefined && (typeof map?.get !== "function" || typeof map[Symbol.iterator] !== "function"))
    throw new InvalidMiddlewareError("validation(): schemas is a Map from message classes to schemas.");
  for (const [type, schema] of schemas ?? []) checkSchema(schema, nameOf(type));

  return createMiddleware("validation", (rest) => (delivery) => {
    const type = typeOf(delivery.message);
    const schema = type && (schemas?.get(type) ?? type.schema);
    if (schema === undefined) return rest(delivery);
    checkSchema(schema, delivery.typeName);
    const data = parsed(schema, delivery.message, "payload", delivery.typeName);
    return isThenable(data)
      ? Promise.resolve(data).then((data) => forward(delivery, rest, data, type!))
      : forward(delivery, rest, data, type!);
  });
}

function forward(delivery: LiveDelivery, rest: Step, data: unknown, type: MessageType): unknown {
  if (data === delivery.message) return goOn(delivery, rest);
  if (typeof data !== "object" || data === null)
    throw new InvalidMessageError(
      `The schema of ${delivery.typeName} returned ${data === null ? "null" : `a value of type ${typeof data}`}; a message stays an object.`,
      { messageType: delivery.typeName, path: "payload" },
    );
  return goOn(delivery.with(asInstance(data, type)), rest);
}

function checkSchema(schema: unknown, messageType: string): void {
  const { validate } = (schema as Partial<StandardSchema> | null)?.["~standard"] ?? {};
  if (typeof validate !== "function")
    throw new InvalidMiddlewareError(
      `The schema of ${messageType} has no ~standard.validate; use a library that implements Standard Schema.`,
      { messageType },
    );
}
