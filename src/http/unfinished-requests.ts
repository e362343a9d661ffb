import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { problemFrom, problemResponse } from "../api/problem.ts";
import { OverloadError } from "../errors.ts";

/** After a stop was asked for: how long nothing of a request may come, and how long a request may come at all. */
const stallMs = 2000;
const comingMs = 10_000;

/** When bytes of a request last came, as far as anybody has looked. */
interface Watched {
  bytes: number;
  sinceMs: number;
}

/**
 * The requests that have not come in whole, for the time when a stop was asked for: nothing of them was acknowledged,
 * and a client that sends no more would hold the stop up.
 */
export class UnfinishedRequests {
  readonly #sockets = new Set<Socket>();
  readonly #watched = new Map<Socket, Watched>();
  #startedMs = -1;

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.leave(socket));
    });
    // From then on it is a WebSocket.
    server.on("upgrade", (req: IncomingMessage) => this.leave(req.socket));
  }

  leave(socket: Socket): void {
    this.#sockets.delete(socket);
    this.#watched.delete(socket);
  }

  /** Ends those that have stalled, each with 503 where no answer has begun; to be called again and again. */
  cut(nowMs: number): void {
    if (this.#startedMs < 0) this.#startedMs = nowMs;
    for (const socket of this.#sockets) {
      const answer = answerOf(socket);
      if (answer?.req.complete) {
        this.#watched.delete(socket);
        continue;
      }
      const known = this.#watched.get(socket);
      if (known?.bytes !== socket.bytesRead) {
        this.#watched.set(socket, { bytes: socket.bytesRead, sinceMs: nowMs });
        if (known === undefined || nowMs - this.#startedMs < comingMs) continue;
      } else if (nowMs - known.sinceMs < stallMs && nowMs - this.#startedMs < comingMs) continue;
      this.leave(socket);
      end(socket, answer);
    }
  }
}

/** The answer that the connection's request waits for; undefined while its head has not come. */
function answerOf(socket: Socket): ServerResponse<IncomingMessage> | undefined {
  return (
    (socket as { _httpMessage?: ServerResponse<IncomingMessage> | null })._httpMessage ?? undefined
  );
}

function end(socket: Socket, answer: ServerResponse | undefined): void {
  if (!socket.writable || answer?.headersSent) {
    socket.destroy();
    return;
  }
  const message = "the server is stopping, and the request did not come in";
  const problem = problemFrom(new OverloadError("stopping", message, 5, 503));
  socket.end(problemResponse(problem), () => socket.destroy());
}
