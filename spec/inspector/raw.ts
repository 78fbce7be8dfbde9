import { connect, type Socket } from "node:net";
import { until } from "./support.js";
import type { Frame } from "cqrx/inspector";

/** An answer as it came over the socket. */
export interface Raw {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** All bytes, for searching. */
  readonly text: string;
}

/** Sends the lines of a request as they are, and reads until the server closes the connection. */
export async function raw(port: number, ...lines: string[]): Promise<Raw> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (data: string) => (text += data));
  socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
  await new Promise((resolve, reject) => socket.once("close", resolve).once("error", reject));
  return parsed(text);
}

function parsed(text: string): Raw {
  const [head = "", ...body] = text.split("\r\n\r\n");
  const [first = "", ...fields] = head.split("\r\n");
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(":")).toLowerCase(),
      field.slice(field.indexOf(":") + 2),
    ]),
  );
  return { status: Number(first.split(" ")[1]), headers, body: body.join("\r\n\r\n"), text };
}

export const get = (port: number, path: string, ...headers: string[]): Promise<Raw> =>
  raw(port, `GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...headers);

/** A reader of the feed that keeps its frames, over HTTP/1.0 so that nothing is chunked. */
export class Reader {
  readonly socket: Socket;
  text = "";
  closed = false;

  constructor(port: number, token: string, ...headers: string[]) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("utf8").on("data", (data: string) => (this.text += data));
    this.socket.on("close", () => (this.closed = true)).on("error", () => undefined);
    this.socket.write(
      [
        "GET /feed HTTP/1.0",
        `Host: localhost:${port}`,
        `Authorization: Bearer ${token}`,
        ...headers,
        "",
        "",
      ].join("\r\n"),
    );
  }

  /** Pairs of id and frame, of the events that are complete. */
  get events(): { readonly id: string; readonly frame: Frame }[] {
    const [, ...rest] = this.text.split("\r\n\r\n");
    return rest
      .join("\r\n\r\n")
      .split("\n\n")
      .slice(0, -1)
      .filter((event) => !event.startsWith(":"))
      .map((event) => {
        const [id, data] = event.split("\n");
        return { id: id!.slice("id: ".length), frame: JSON.parse(data!.slice("data: ".length)) as Frame };
      });
  }

  get frames(): Frame[] {
    return this.events.map(({ frame }) => frame);
  }

  async until(condition: (frames: Frame[]) => boolean): Promise<Frame[]> {
    await until(() => condition(this.frames));
    return this.frames;
  }
}
