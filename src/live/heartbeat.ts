import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Clock } from "../base/clock.ts";

interface Pulse {
  readonly socket: Pick<Socket, "bytesRead" | "bytesWritten">;
  bytesRead: number;
  bytesSent: number;
  waiting: boolean;
  aliveMs: number;
}

/** Pings every WebSocket and ends those that show no sign of life for two intervals. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #pulses = new Map<WebSocket, Pulse>();

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  add(ws: WebSocket, socket: Pulse["socket"]): void {
    const { bytesRead, bytesWritten } = socket;
    const aliveMs = this.#clock.monotonicMs();
    this.#pulses.set(ws, { socket, bytesRead, bytesSent: bytesWritten, waiting: false, aliveMs });
    ws.once("close", () => this.#pulses.delete(ws));
  }

  /** To be called once an interval. */
  beat(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [ws, pulse] of this.#pulses) {
      const { bytesRead } = pulse.socket;
      const waitingBytes = ws.bufferedAmount;
      const bytesSent = pulse.socket.bytesWritten - waitingBytes;
      // Any byte that came is life. So are bytes that a slow reader takes; but what merely fits the kernel's
      // buffers is none, so that counts only while more is waiting. A socket that we paused can't answer.
      const takes = pulse.waiting && bytesSent > pulse.bytesSent;
      if (bytesRead > pulse.bytesRead || takes || ws.isPaused) pulse.aliveMs = nowMs;
      pulse.bytesRead = bytesRead;
      pulse.bytesSent = bytesSent;
      pulse.waiting = waitingBytes > 0;
      if (nowMs - pulse.aliveMs >= 2 * this.#intervalMs) ws.terminate();
      else if (ws.readyState === ws.OPEN) ws.ping();
    }
  }
}
