import { InvalidMessageError } from "../errors.js";
import { kindOf, nameOf, type MessageKind, type MessageType } from "../messages/message.js";

const BUSES = { command: "a CommandBus", query: "a QueryBus", event: "an EventBus" } as const;
const SEND = { command: "dispatch it", query: "ask it", event: "publish it" } as const;

/**
 * @param action - completes the text: what to do on the right bus
 * @throws InvalidMessageError for a type that is marked as one of another kind
 */
export function checkKind(type: MessageType, kind: MessageKind, action?: string): void {
  const marked = kindOf(type);
  if (marked === undefined || marked === kind) return;
  const messageType = nameOf(type);
  throw new InvalidMessageError(
    `${messageType} is ${marked === "event" ? "an" : "a"} ${marked}; ${action ?? SEND[marked]} on ${BUSES[marked]}.`,
    { messageType },
  );
}
