import { type Frame, type FrameSource } from "../../protocol.js";

/** Makes the source of a recorder in the same page. */
export function localSource(recorder: {
  subscribe(listener: (frame: Frame) => void): () => void;
}): FrameSource {
  return (onFrame, onState) => {
    onState?.("live");
    return recorder.subscribe(onFrame);
  };
}
