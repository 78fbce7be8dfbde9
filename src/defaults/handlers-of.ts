import type { MessageKind } from "../core/messages/message.js";

/**
 * An object whose methods read no other local context than their buses have; otherwise texts that say which methods
 * do, for the compiler to quote.
 *
 * The first and the second argument of each method are inferred member by member, because the members of a polymorphic
 * `this` are known only then, and members of a type that is a type parameter never.
 */
export type HandlersOf<Messages, Contexts, Commands, Queries, Events> = [
  {
    [Key in keyof Contexts]-?: Misfit<
      Key,
      Contexts[Key],
      LocalOf<Messages[Key & keyof Messages], Commands, Queries, Events>
    >;
  }[keyof Contexts],
] extends [infer Texts]
  ? [Texts] extends [never]
    ? | Instance
      | (Instance & { readonly [Key in keyof Messages]: (message: Messages[Key], context: never) => unknown })
      | (Instance & { readonly [Key in keyof Contexts]: (message: never, context: Contexts[Key]) => unknown })
    : Texts
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
