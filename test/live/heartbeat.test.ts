import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Heartbeat } from "../../src/live/heartbeat.ts";

class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  isPaused = false;
  pings = 0;
  terminated = false;
  readonly wire = { bytesRead: 0, bytesWritten: 0 };

  ping(): void {
    this.pings++;
  }

  terminate(): void {
    this.terminated = true;
    this.emit("close");
  }
}

function open() {
  const time = { ms: 0 };
  const clock = { nowUs: () => 0n, monotonicMs: () => time.ms };
  const heartbeat = new Heartbeat(clock, 100);
  const socket = new FakeSocket();
  heartbeat.add(socket as unknown as WebSocket, socket.wire);
  const beat = () => {
    time.ms += 100;
    heartbeat.beat();
  };
  return { socket, beat };
}

it("ends a socket that is silent for two intervals", () => {
  const { socket, beat } = open();
  beat();
  expect([socket.pings, socket.terminated]).toEqual([1, false]);
  beat();
  expect(socket.terminated).toBe(true);
  beat();
  expect(socket.pings).toBe(1);
});

it("keeps one that answers, with whatever bytes", () => {
  const { socket, beat } = open();
  for (let i = 0; i < 10; i++) {
    socket.wire.bytesRead += 6;
    beat();
  }
  expect([socket.pings, socket.terminated]).toEqual([10, false]);
});

it("keeps a slow reader as long as it takes something", () => {
  const { socket, beat } = open();
  socket.wire.bytesWritten = 1000;
  socket.bufferedAmount = 900;
  for (let i = 0; i < 5; i++) {
    beat();
    socket.bufferedAmount -= 100;
  }
  expect(socket.terminated).toBe(false);
  for (let i = 0; i < 3; i++) beat();
  expect(socket.terminated).toBe(true);
});

it("does not take bytes for life that only went into the kernel", () => {
  const { socket, beat } = open();
  for (let i = 0; i < 2; i++) {
    socket.wire.bytesWritten += 100;
    beat();
  }
  expect(socket.terminated).toBe(true);
});

it("does not hold a pause of ours against a socket", () => {
  const { socket, beat } = open();
  socket.isPaused = true;
  for (let i = 0; i < 5; i++) beat();
  expect(socket.terminated).toBe(false);
});
