import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { type Front, type FrontParts, openFront } from "../api/front.ts";
import { problemFrom, problemHeaders, problemResponse, problemText } from "../api/problem.ts";
import { InputError } from "../errors.ts";
import { EventStreams } from "../live/event-streams.ts";
import { MetricsHub } from "../live/metrics-hub.ts";
import { openSockets, type Sockets } from "../live/sockets.ts";
import { openApp } from "./app.ts";
import { expectationFailed, ingestListener, writeRefusal } from "./ingest.ts";
import { UnfinishedRequests } from "./unfinished-requests.ts";

/** A server that listens. */
export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly port: number;
  readonly front: Front;
  /**
   * Takes nothing new, finishes what was accepted, and closes every connection; what is not finished at the
   * deadline is cut off. False then.
   */
  stop(timeoutMs: number): Promise<boolean>;
}

/** Starts to listen; rejects when it can't. The engine stays the caller's to close. */
export async function startServer(parts: FrontParts): Promise<RunningServer> {
  const front = openFront(parts);
  const hub = new MetricsHub(front);
  const streams = new EventStreams(front, hub);
  const server = createHttpServer(front, streams);
  const unfinished = new UnfinishedRequests(server);
  const sockets = openSockets(front, hub, streams);
  server.on("upgrade", (req, socket, head) => sockets.upgrade(req, socket, head));
  const { host, port } = front.config;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}`,
    port: address.port,
    front,
    stop: (timeoutMs) => stop(front, server, unfinished, sockets, timeoutMs),
  };
}

/** Requests of any method and path, in one place: ingest first, everything else to the app. */
function createHttpServer(front: Front, streams: EventStreams): Server {
  const { config, counters } = front;
  const app = openApp(front, streams);
  const ingest = ingestListener(front);
  const others = getRequestListener(app.fetch, {
    errorHandler: (error) => malformedRequest(error),
  });
  const server = createServer({
    requestTimeout: config.requestTimeoutMs,
    headersTimeout: Math.min(60_000, config.requestTimeoutMs),
    connectionsCheckingInterval: Math.max(50, Math.min(1000, config.requestTimeoutMs / 4)),
    keepAliveTimeout: 65_000,
  });
  server.maxConnections = config.connectionsMax;
  server.on("drop", () => counters.connectionsRefused++);
  server.on("request", (req, res) => {
    if (!ingest(req, res, false)) void others(req, res);
  });
  server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => {
    if (ingest(req, res, true)) return;
    res.writeContinue();
    void others(req, res);
  });
  server.on("checkExpectation", (req: IncomingMessage, res: ServerResponse) => {
    const problem = problemFrom(expectationFailed(req.headers.expect));
    writeRefusal(req, res, problem, problemText(problem), problemHeaders(problem));
  });
  server.on("clientError", answerClientError);
  return server;
}

/** A request that the parser let pass and that is none all the same, such as one without a usable host. */
function malformedRequest(error: unknown): Response {
  const message = `got a malformed request: ${(error as Error).message}`;
  const problem = problemFrom(new InputError("malformed_request", message));
  return new Response(problemText(problem), {
    status: problem.status,
    headers: problemHeaders(problem),
  });
}

/** What came in is no HTTP, or came in too slowly. */
function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  // An answer that has begun can't be taken back; the connection ends and the client sees it cut off.
  const begun = (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent === true;
  if (error.code === "ECONNRESET" || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  const problem = problemFrom(clientError(error));
  socket.end(problemResponse(problem), () => socket.destroy());
}

function clientError(error: Error & { code?: string }): InputError {
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = "the request did not come in in time";
    return new InputError("request_timeout", message, {}, 408);
  }
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return new InputError("headers_too_large", "got more than 16 KiB of headers", {}, 431);
  }
  return new InputError("malformed_request", `got something that is not HTTP: ${error.message}`);
}

async function stop(
  front: Front,
  server: Server,
  unfinished: UnfinishedRequests,
  sockets: Sockets,
  timeoutMs: number,
): Promise<boolean> {
  front.stopping = true;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Connections that fall idle later are closed by the answers they wait for, or here.
  const sweep = setInterval(() => {
    server.closeIdleConnections();
    unfinished.cut(front.clock.monotonicMs());
  }, 50);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const finished = Promise.all([sockets.close(), closed]).then(() => true as const);
  const inTime = await Promise.race([finished, deadline]);
  clearInterval(sweep);
  clearTimeout(timer);
  if (!inTime) {
    sockets.terminate();
    server.closeAllConnections();
  }
  return inTime;
}
