import { type FeedState, type Frame, type FrameSource } from "../../protocol.js";
import { EventParser } from "./events.js";

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4_000;

export interface Feed {
  readonly source: FrameSource;
  /** Connects at once, with the token of now. */
  restart(): void;
}

/**
 * Makes the source that reads the feed by `fetch`, because that can send the token in `Authorization`: a cookie
 * or a query parameter would reach logs and other sites. It connects again by itself, and resumes where it was if
 * the process is still the same.
 */
export function feedOf(url: string, token: () => string | undefined): Feed {
  let restart = (): void => undefined;
  const source: FrameSource = (onFrame, onState) => {
    let connection = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let retryMs = FIRST_RETRY_MS;
    let last = "";
    let ended = false;

    const connect = async (): Promise<FeedState> => {
      const { signal } = connection;
      const headers: Record<string, string> = { authorization: `Bearer ${token() ?? ""}` };
      if (last) headers["last-event-id"] = last;
      const response = await fetch(url, { headers, signal, cache: "no-store", credentials: "omit" });
      if (response.status === 401) return "unauthorized";
      if (!response.ok || !response.body) return "unavailable";
      onState?.("live");
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "lost";
        for (const { id, data } of parser.push(value)) {
          last = id;
          retryMs = FIRST_RETRY_MS;
          onFrame(JSON.parse(data) as Frame);
        }
      }
    };
    const run = (): void => {
      if (!token()) {
        onState?.("unauthorized");
        return;
      }
      const mine = (connection = new AbortController());
      void connect()
        .catch((): FeedState => "lost")
        .then((state) => {
          if (ended || mine !== connection) return;
          onState?.(state);
          // Another try with the same token would be refused again.
          if (state === "unauthorized") return;
          timer = setTimeout(run, retryMs);
          retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
        });
    };
    restart = () => {
      clearTimeout(timer);
      connection.abort();
      onState?.("connecting");
      run();
    };
    restart();
    return () => {
      ended = true;
      clearTimeout(timer);
      connection.abort();
    };
  };
  return { source, restart: () => restart() };
}
