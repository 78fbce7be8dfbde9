import { InvalidMessageError } from "../errors.js";
import { kindOf, nameOf, type MessageKind, type MessageType } from "../messages/message.js";

const BUSES = { command: "a CommandBus", query: "a QueryBus", event: "an EventBus" } as const;

/** How a message of each kind is sent. */
export const SEND = { command: "dispatch", query: "ask", event: "publish" } as const;

/**
 * @param action - completes the text: what to do on the right bus
 * @throws InvalidMessageError for a type that is marked as one of another kind
 */
export function checkKind(type: MessageType, kind: MessageKind, action?: string): void {
  const marked = kindOf(type);
  if (marked === undefined || marked === kind) return;
  const messageType = nameOf(type);
  const article = marked === "event" ? "an" : "a";
  action ??= `${SEND[marked]} it`;
  throw new InvalidMessageError(`${messageType} is ${article} ${marked}; ${action} on ${BUSES[marked]}.`, {
    messageType,
  });
}
