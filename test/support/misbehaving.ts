import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";

// Clients that a server must survive.

/** Begins to send a body of `length` bytes (or `start`), stops after `sent` of them and keeps the connection. */
export function stalledBody(url: string, length: number, sent: number, start?: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  const headers = [
    "POST /api/v1/events/batch HTTP/1.1",
    `Host: ${hostname}`,
    "Content-Type: application/json",
    `Content-Length: ${length}`,
  ];
  socket.write(start ?? `${headers.join("\r\n")}\r\n\r\n`);
  socket.write(Buffer.alloc(sent, 0x20));
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** Subscribes to everything and then reads nothing more until it is resumed. */
export async function stalledSubscriber(url: string): Promise<WebSocket> {
  const ws = new WebSocket(`${url.replace("http", "ws")}/api/v1/stream/events`);
  ws.on("error", () => {});
  onTestFinished(() => ws.terminate());
  await new Promise((resolve, reject) => {
    ws.once("open", resolve);
    ws.once("error", reject);
  });
  const subscribed = new Promise((resolve) => ws.once("message", resolve));
  ws.send('{"type":"subscribe","id":"slow"}');
  await subscribed;
  ws.pause();
  return ws;
}
