// What holds for many messages, whichever way they come in.
import { around, when, type MessageType, type Middleware } from "cqrx";
import { ForbiddenError, InvalidInputError } from "./errors.js";

/** Lets messages of a type through only with the role, which travels in their headers. */
export function requireRole(role: string, type: MessageType): Middleware {
  return when(
    type,
    around((message, next, { envelope }) => {
      if (envelope.meta.headers["x-role"] !== role) throw new ForbiddenError(envelope.meta.name, role);
      return next(message);
    }),
  );
}

/** Checks each message against the schema of its class, if it has one. */
export function checkSchema(): Middleware {
  return around(async function checkSchema(message, next) {
    const { name, schema } = message.constructor as MessageType;
    const result = await schema?.["~standard"].validate(message);
    if (result?.issues) throw new InvalidInputError(name, result.issues);
    return next(message);
  });
}
