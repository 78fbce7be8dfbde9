import { check, checkOptions } from "../core/checks.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { InvalidMessageError, InvalidMiddlewareError } from "../core/errors.js";
import { checkClass, nameOf, typeOf, type MessageType } from "../core/messages/message.js";
import { asInstance, parsed } from "../core/messages/validate.js";
import { createMiddleware, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { resume } from "../core/pipeline/resume.js";
import type { StandardSchema } from "../core/util/standard-schema.js";
import { isThenable } from "../core/util/thenable.js";

export interface ValidationOptions {
  /** Schemas by message class, each for the class and its subclasses. @defaultValue none */
  readonly schemas?: ReadonlyMap<MessageType, StandardSchema>;
}

const aSchemaMap = check("a Map from message classes to schemas", (value) => {
  const map = value as Partial<ReadonlyMap<unknown, unknown>> | null;
  return typeof map?.get === "function" && typeof map[Symbol.iterator] === "function";
});

/**
 * Checks messages by schemas of any Standard Schema library (zod, valibot, arktype, …), and passes on the
 * output of the schema: trimmed, coerced, with defaults. Messages without a schema pass.
 *
 * The schema of the nearest class counts: of the message's own class first, then of its base classes. For one
 * class, `schemas` comes before `static schema`.
 *
 * Guarantees:
 * - A message that does not fit is rejected with `InvalidMessageError`, with the `issues` of the schema and
 *   the `path` of the first one.
 * - The handler gets an instance of the message's class, made without calling its constructor. The envelope
 *   keeps the message as it was sent.
 * - The message stays synchronous if the schema is.
 *
 * @throws InvalidOptionsError, InvalidMiddlewareError for a value in `schemas` that is not a Standard Schema,
 * InvalidMessageError for a key that is not a class
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
  checkOptions<ValidationOptions>("validation()", options, { schemas: aSchemaMap });
  const { schemas } = options;
  for (const [type, schema] of schemas ?? []) {
    checkClass(type);
    checkSchema(schema, nameOf(type));
  }

  return createMiddleware("validation", (rest) => (delivery) => {
    const type = typeOf(delivery.message);
    const schema = type && schemaOf(type, schemas);
    if (schema === undefined) return rest(delivery);
    checkSchema(schema, delivery.typeName);
    const data = parsed(schema, delivery.message, "payload", delivery.typeName);
    return isThenable(data)
      ? Promise.resolve(data).then((data) => forward(delivery, rest, data, type!))
      : forward(delivery, rest, data, type!);
  });
}

/** Returns the schema of the nearest class; not cached, because `schemas` may be filled later. */
function schemaOf(type: MessageType, schemas: ValidationOptions["schemas"]): StandardSchema | undefined {
  if (schemas === undefined) return type.schema;
  for (
    let nearest = type;
    typeof nearest === "function";
    nearest = Object.getPrototypeOf(nearest) as MessageType
  ) {
    const schema = schemas.get(nearest) ?? (Object.hasOwn(nearest, "schema") ? nearest.schema : undefined);
    if (schema !== undefined) return schema;
  }
  return undefined;
}

function forward(delivery: LiveDelivery, rest: Step, data: unknown, type: MessageType): unknown {
  if (data === delivery.message) return resume(delivery, rest);
  if (typeof data !== "object" || data === null)
    throw new InvalidMessageError(
      `The schema of ${delivery.typeName} returned ${data === null ? "null" : `a value of type ${typeof data}`}; ` +
        "return an object.",
      { messageType: delivery.typeName, path: "payload" },
    );
  return resume(delivery.changedTo(asInstance(data, type)), rest);
}

function checkSchema(schema: unknown, messageType: string): void {
  const { validate } = (schema as Partial<StandardSchema> | null)?.["~standard"] ?? {};
  if (typeof validate !== "function")
    throw new InvalidMiddlewareError(
      `The schema of ${messageType} has no ~standard.validate; use a library that implements Standard Schema.`,
      { messageType },
    );
}
