import { type FrameSource, type Recording } from "../protocol.js";
import { feedOf } from "./sources/feed.js";
import { linesOf, recordedSource } from "./sources/recorded.js";
import { takeToken } from "./sources/token.js";
import { createView } from "./view.js";

/** Shows what was recorded into this document, or else what the feed beside it tells. */
function start(host: HTMLElement): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("html,body,#cqrx-inspector{height:100%;margin:0}");
  document.adoptedStyleSheets = [sheet];
  host.role = "main";
  const recorded = document.getElementById("cqrx-recording")?.textContent;
  if (recorded) {
    const recording = JSON.parse(recorded) as Recording;
    createView(host, titled(recordedSource(recording)), { exportLines: () => linesOf(recording.messages) });
    return;
  }
  const mount = location.pathname.replace(/\/+$/, "");
  let token = takeToken(mount);
  const feed = feedOf(`${mount}/feed`, () => token);
  // The new link of a restarted process, pasted over the old one, differs in the fragment alone: the browser
  // loads nothing.
  addEventListener("hashchange", () => {
    token = takeToken(mount);
    feed.restart();
  });
  createView(host, titled(feed.source), {
    exportLines: async () => {
      const response = await fetch(`${mount}/export`, {
        headers: { authorization: `Bearer ${token ?? ""}` },
      });
      if (!response.ok) throw new Error(`The export answered ${response.status}`);
      return response.text();
    },
  });
}

/** Gives the document the title of the process. */
function titled(source: FrameSource): FrameSource {
  return (onFrame, onState) =>
    source((frame) => {
      if (frame.type === "hello") document.title = `${frame.title} · cqrx inspector`;
      onFrame(frame);
    }, onState);
}

start(document.getElementById("cqrx-inspector")!);
