import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, it } from "@jest/globals";
import { natsTransport } from "cqrx/nats";
import { until } from "../transport/support.js";

const INFO = `INFO ${JSON.stringify({ server_id: "s", version: "2.10.0", proto: 1, headers: true, max_payload: 1_048_576 })}\r\n`;

it("closes a connection that is being made again, which would keep the process alive otherwise", async () => {
  const sockets: Socket[] = [];
  // A server that greets its first client only, as one does that is frozen later.
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => void (bytes.includes("PING") && socket.write("PONG\r\n")));
    if (sockets.push(socket) === 1) socket.write(INFO);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const transport = await natsTransport({
      servers: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      manageStreams: false,
      reconnectTimeWait: 1,
      reconnectJitter: 1,
    });
    sockets[0]!.destroy();
    await until(() => sockets.length === 2);
    await transport.close();
    await until(() => sockets[1]!.destroyed);
    expect(sockets).toHaveLength(2);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
