import type { MessageKind } from "../core/messages/message.js";

/**
 * An object whose methods read no other local context than their buses have; otherwise a text that says which method
 * does, for the compiler to quote.
 *
 * The object is inferred member by member, because the members of a polymorphic `this` are known only then.
 */
export type HandlersOf<T, Commands, Queries, Events> = [
  {
    [Key in keyof T]-?: T[Key] extends (message: infer M, context: infer Context) => unknown
      ? Misfit<Key, Context, LocalOf<M, Commands, Queries, Events>>
      : never;
  }[keyof T],
] extends [infer Text]
  ? [Text] extends [never]
    ? Instance | (Instance & { readonly [Key in keyof T]: T[Key] })
    : Text
  : never;

/** The compiler quotes the text where it finds a class. */
type Instance = object & { readonly prototype?: "an instance, not its class: did you forget new?" };

/** A text for a method with a context whose `local` no bus of its message has. */
type Misfit<Key, Context, Given> = Context extends { readonly local?: infer Wanted }
  ? object extends Wanted
    ? never
    : [Extract<Given, Wanted>] extends [never]
      ? `${Key & string}() reads another context.local than its bus has`
      : never
  : never;

/** The local context of the bus for a message; of each bus, if the message is not marked as of one kind. */
type LocalOf<M, Commands, Queries, Events> = M extends { readonly "~kind": infer Kind extends MessageKind }
  ? { command: Commands; query: Queries; event: Events }[Kind]
  : Commands | Queries | Events;
