import * as core from "../core/errors.js";
import { CqrsError } from "../core/errors.js";
import { invalidOption } from "../core/checks.js";
import { decodeJson, encodeJson } from "../core/messages/json.js";
import * as own from "./errors.js";
import { RemoteError } from "./errors.js";

/** A class of errors that crosses between processes: it comes back as an instance. */
export type ErrorType = (abstract new (...args: never[]) => Error) & { readonly code: string };

/**
 * An error as it is on the wire. A class is named by its code, and only codes that the receiver lists make an instance.
 */
interface WrittenError {
  readonly code?: string;
  readonly name: string;
  readonly text?: string;
  readonly fields?: { readonly [name: string]: unknown };
  readonly cause?: WrittenError;
}

const CAUSES = 3;
/** Fields that no sender sets. */
const RESERVED = new Set([
  "message",
  "stack",
  "name",
  "cause",
  "code",
  "__proto__",
  "constructor",
  "prototype",
]);

const isErrorType = (value: unknown): value is ErrorType =>
  typeof value === "function" && typeof (value as Partial<ErrorType>).code === "string";

/** Writes errors for another process, and reads them as instances of the classes that the application listed. */
export class ErrorCatalog {
  readonly #types = new Map<string, ErrorType>();
  readonly #expose: boolean;

  /** @throws InvalidOptionsError for a class without a code of its own, and for a code that two classes have */
  constructor(listed: readonly ErrorType[], exposeErrors: boolean) {
    this.#expose = exposeErrors;
    for (const type of [...Object.values(core), ...Object.values(own)] as unknown[])
      if (isErrorType(type) && (type as unknown) !== CqrsError) this.#types.set(type.code, type);
    for (const type of listed) {
      const unusable =
        !isErrorType(type) || !Object.hasOwn(type, "code")
          ? type
          : this.#types.has(type.code) && this.#types.get(type.code) !== type
            ? type
            : undefined;
      if (unusable !== undefined)
        throw invalidOption(
          "new Link()",
          "errors",
          "classes of errors, each with a static code of its own",
          `${typeof type === "function" ? type.name : String(type)}`,
        );
      this.#types.set(type.code, type);
    }
  }

  write(error: unknown): string {
    return encodeJson(this.#written(error, 0));
  }

  #written(error: unknown, depth: number): WrittenError {
    if (!(error instanceof Error)) return { name: error === null ? "null" : typeof error };
    const type = this.#typeOf(error);
    const name = typeof error.name === "string" ? error.name.slice(0, 200) : "Error";
    if (type === undefined) return this.#expose ? { name, text: error.message } : { name };
    const { cause } = error;
    return {
      code: type.code,
      name,
      text: error.message,
      fields: fieldsOf(error),
      ...(cause instanceof Error && depth < CAUSES ? { cause: this.#written(cause, depth + 1) } : {}),
    };
  }

  /**
   * Returns the nearest listed class that an error is an instance of; errors of another copy of the library are
   * known by code.
   */
  #typeOf(error: Error): ErrorType | undefined {
    if (error instanceof CqrsError) {
      const known = this.#types.get(error.code);
      if (known !== undefined) return known;
    }
    let prototype = Object.getPrototypeOf(error) as { constructor?: unknown } | null;
    for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as typeof prototype) {
      const type = prototype.constructor;
      if (isErrorType(type) && Object.hasOwn(type, "code") && this.#types.get(type.code) === type)
        return type;
    }
    return undefined;
  }

  /** Reads a written error. Never throws. */
  read(text: string, messageType: string): Error {
    try {
      return this.#read(decodeJson(text) as WrittenError, messageType, 0);
    } catch (cause) {
      return new RemoteError("an error that cannot be read", undefined, { messageType, cause });
    }
  }

  #read(written: WrittenError, messageType: string, depth: number): Error {
    const { code, text, fields, cause } = written;
    const type = typeof code === "string" ? this.#types.get(code) : undefined;
    const name = core.excerpt(String(written.name));
    const shown = typeof text === "string" ? text.slice(0, 10_000) : undefined;
    if (type === undefined) return new RemoteError(name, shown && core.excerpt(shown), { messageType });
    // The constructor is not called, because its arguments are not known.
    const error = Object.create(type.prototype as object) as Error & { [field: string]: unknown };
    const hidden = (field: string, value: unknown): void =>
      void Object.defineProperty(error, field, { value, writable: true, configurable: true });
    hidden("message", shown ?? "");
    // A class that names its errors by a field has no name on its prototype.
    if (error.name !== name) hidden("name", name);
    for (const [field, value] of Object.entries(fields ?? {}))
      if (!RESERVED.has(field))
        Object.defineProperty(error, field, { value, writable: true, enumerable: true, configurable: true });
    if (error instanceof CqrsError || "code" in (fields ?? {})) error.code = code;
    if (cause !== undefined && depth < CAUSES) hidden("cause", this.#read(cause, messageType, depth + 1));
    hidden("stack", `${error.name}: ${error.message}\n    at another process`);
    return error;
  }
}

/** Returns the own fields of an error that JSON can keep. */
function fieldsOf(error: Error): { [name: string]: unknown } {
  const fields: { [name: string]: unknown } = {};
  for (const name of Object.keys(error)) {
    if (RESERVED.has(name) && name !== "code") continue;
    try {
      const value: unknown = (error as unknown as { [field: string]: unknown })[name];
      encodeJson(value);
      fields[name] = value;
    } catch {
      // A field that cannot cross stays at home.
    }
  }
  return fields;
}
