import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { readyFrame } from "../../src/live/ready-frame.ts";
import { eventually } from "../support/front-server.ts";

it("is what a client of the protocol reads as one message, between those that ws sends", async () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000];
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on("upgrade", (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (ws) => {
      for (const length of lengths) {
        const message = Buffer.alloc(length, "é");
        socket.write(readyFrame(message, length % 2 === 1));
        ws.send(`after ${length}`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const heard: [length: number, isBinary: boolean, text: string][] = [];
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`, { skipUTF8Validation: true });
  client.on("message", (data: Buffer, isBinary) => {
    heard.push([data.length, isBinary, data.subarray(0, 6).toString("latin1")]);
  });
  await eventually(() => heard.length === 2 * lengths.length);
  expect(heard).toEqual(
    lengths.flatMap((length) => [
      [length, length % 2 === 1, Buffer.alloc(length, "é").subarray(0, 6).toString("latin1")],
      [`after ${length}`.length, false, "after "],
    ]),
  );
  client.terminate();
  sockets.close();
  server.close();
});
