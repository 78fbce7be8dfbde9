import { type FrameSource, type InspectedMessage, type Recording } from "../../protocol.js";

/** Makes the source of a recording: everything at once, and then nothing. */
export function recordedSource({ hello, messages }: Recording): FrameSource {
  return (onFrame, onState) => {
    onState?.("recording");
    onFrame(hello);
    onFrame({ type: "history", run: hello.run, seq: hello.seq, messages });
    return () => undefined;
  };
}

/** Returns the messages as JSON lines, as the recorder's own export does. */
export function linesOf(messages: readonly InspectedMessage[]): string {
  return messages.map((message) => `${JSON.stringify(message)}\n`).join("");
}
