import { decode } from "@msgpack/msgpack";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { until } from "./server.ts";

export type Message = Record<string, unknown>;

/** A WebSocket client that keeps what it was sent. Closed when the test has ended. */
export class TestSocket {
  readonly ws: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<number>;
  private taken = 0;

  constructor(url: string, path: string, protocol?: string) {
    this.ws = new WebSocket(
      `${url.replace("http", "ws")}${path}`,
      protocol === undefined ? [] : [protocol],
    );
    this.ws.on("message", (data: Buffer, isBinary) => {
      this.messages.push((isBinary ? decode(data) : JSON.parse(String(data))) as Message);
    });
    // A refused upgrade shows in `open`; afterwards an error is followed by close.
    this.ws.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.ws.once("close", (code) => resolve(code));
    });
    onTestFinished(() => this.ws.terminate());
  }

  async open(): Promise<this> {
    await new Promise((resolve, reject) => {
      this.ws.once("open", resolve);
      this.ws.once("error", reject);
    });
    return this;
  }

  send(message: object | string | Uint8Array): void {
    const raw = typeof message === "string" || message instanceof Uint8Array;
    this.ws.send(raw ? message : JSON.stringify(message));
  }

  /** The next message that has not been taken. */
  next(): Promise<Message> {
    return until("a message of the WebSocket", () => {
      const message = this.messages[this.taken];
      if (message !== undefined) this.taken++;
      return message;
    });
  }
}

export function openSocket(url: string, path: string, protocol?: string): Promise<TestSocket> {
  return new TestSocket(url, path, protocol).open();
}
