import { checkOption, anArray, required } from "../core/checks.js";
import { InvalidMessageError, InvalidOptionsError } from "../core/errors.js";
import { Envelope, readPayload } from "../core/messages/envelope-reader.js";
import { checkClass, nameOf, typeOf, type MessageType } from "../core/messages/message.js";

/** The classes that an application listed, by the names under which they are stored. */
export class NamedTypes {
  readonly #source: string;
  readonly #byName = new Map<string, MessageType>();

  /** @throws InvalidOptionsError if the list is empty, or if two classes have one name */
  constructor(source: string, types: readonly MessageType[]) {
    checkOption(source, "types", types, required(anArray));
    this.#source = source;
    for (const type of types) {
      checkClass(type);
      const name = nameOf(type);
      const other = this.#byName.get(name);
      if (other !== undefined && other !== type)
        throw this.#wrong(
          `two classes are named ${name}; give one a static messageName`,
          "classes of different names",
        );
      this.#byName.set(name, type);
    }
    if (this.#byName.size === 0) throw this.#wrong("types is empty; list the classes", "a list of classes");
  }

  #wrong(text: string, expected: string): InvalidOptionsError {
    return new InvalidOptionsError(`${this.#source}: ${text}.`, "types", expected);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** The names as the text of an array, because every driver takes a text as a parameter: `any($1::text::text[])`. */
  get array(): string {
    return `{${this.names.map((name) => `"${name.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
  }

  /** @throws InvalidMessageError for a message whose exact class is not listed */
  check(message: object): void {
    const type = typeOf(message);
    if (type !== undefined && this.#byName.get(nameOf(type)) === type) return;
    const name = nameOf(type);
    throw new InvalidMessageError(
      `${name} is not listed in the types of ${this.#source}; list this exact class.`,
      {
        messageType: name,
      },
    );
  }

  /** @throws InvalidMessageError for a name that is not listed, or for data that the class refuses */
  read(name: string, envelope: string): Envelope {
    // Parsed here, because the reader of a text asks whether it has a key twice, and no stored one has.
    return Envelope.fromJSON(JSON.parse(envelope), this.#typeOf(name));
  }

  /** The payload alone, which takes half the time. @throws InvalidMessageError */
  readPayload(name: string, envelope: string): object {
    return readPayload(envelope, this.#typeOf(name));
  }

  #typeOf(name: string): MessageType {
    const type = this.#byName.get(name);
    if (type !== undefined) return type;
    throw new InvalidMessageError(
      `${name} is stored and not listed in the types of ${this.#source}; list its class.`,
      { messageType: name },
    );
  }

  /** Returns the listed types among `types`, or all. @throws InvalidMessageError for one that is not listed */
  subset(source: string, types: readonly MessageType[] | undefined): NamedTypes {
    if (types === undefined) return this;
    const subset = new NamedTypes(source, types);
    for (const type of types)
      if (this.#byName.get(nameOf(type)) !== type)
        throw new InvalidMessageError(
          `${nameOf(type)} is not listed in the types of ${this.#source}; list it there, too.`,
          {
            messageType: nameOf(type),
          },
        );
    return subset;
  }
}
