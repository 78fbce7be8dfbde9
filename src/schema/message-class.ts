import { check, checkOption, checkOptions, required, type Checks } from "../core/checks.js";
import { excerpt, InvalidMessageError } from "../core/errors.js";
import type { Fields } from "../core/messages/hidden-state.js";
import { READ } from "../core/messages/message.js";
import { limits } from "../core/messages/json-form.js";
import { aboutType } from "../core/messages/validate.js";
import type { StandardSchema } from "../core/util/standard-schema.js";
import { checkedBy, reread } from "./checked-by.js";
import type { DefineOptions, SchemaMessageClass } from "./schema-message.js";

const aName = check(
  `a text of 1 to ${limits.nameLength} characters`,
  (value) => typeof value === "string" && value.length > 0 && value.length <= limits.nameLength,
);
const aSchema = check(
  "a schema of a library that implements Standard Schema",
  (value) => typeof (value as Partial<StandardSchema> | null)?.["~standard"]?.validate === "function",
);
const OPTIONS: Checks<DefineOptions> = { output: aSchema };

/**
 * Returns a class whose constructor checks its argument and makes fields of what the schema returns.
 *
 * @param source - the function that the application called, for the texts of errors
 * @throws InvalidOptionsError
 */
export function messageClass<Base extends object, Input, Data extends object>(
  source: string,
  base: new () => Base,
  name: string,
  schema: StandardSchema<Input, Data>,
  options: DefineOptions<Data> = {},
): SchemaMessageClass<Base, Input, Data> {
  checkOption(source, "name", name, required(aName));
  checkOption(source, "schema", schema, required(aSchema));
  checkOptions(source, options, OPTIONS);
  const { output } = options;
  /** Data that was checked already, for the constructor of the class that is read at this moment. */
  let reading: { readonly type: unknown; readonly data: object } | undefined;

  class SchemaMessage extends (base as new () => object) {
    static readonly messageName = name;

    constructor(input: unknown = {}) {
      super();
      const checked = reading?.type === new.target ? reading.data : undefined;
      reading = undefined;
      try {
        setFields(this, checked ?? checkedBy(schema, input, name));
      } catch (error) {
        throw aboutType(new.target, error);
      }
    }

    static parse(data: unknown): object {
      return new this(data);
    }

    /** Calls the constructor, because a subclass may have private fields. */
    static [READ](data: object): object {
      const before = reading;
      reading = {
        type: this,
        data: output ? checkedBy(output, data, name) : reread(schema, data, name, source),
      };
      try {
        return new this(reading.data);
      } finally {
        reading = before;
      }
    }
  }
  Object.defineProperty(SchemaMessage, "name", { value: name });
  return SchemaMessage as unknown as SchemaMessageClass<Base, Input, Data>;
}

/** @throws InvalidMessageError for a field that would hide a member of the class, such as a method */
function setFields(message: object, data: object): void {
  const fields: Fields = { ...data };
  for (const key of Reflect.ownKeys(fields)) {
    if (key in message)
      throw new InvalidMessageError(
        `payload.${excerpt(String(key))} has the name of a member of the class; ` +
          "give one of them another name, or let the schema refuse or drop fields that it does not know.",
        {
          path: `payload.${String(key)}`,
          issues: [{ message: "has the name of a member of the class", path: [key] }],
        },
      );
    (message as Record<PropertyKey, unknown>)[key] = fields[key];
  }
}
