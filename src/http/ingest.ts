import type { IncomingMessage, ServerResponse } from "node:http";
import { refuseWhenBusy } from "../api/admission.ts";
import type { Front } from "../api/front.ts";
import {
  type IngestParameters,
  idempotencyKey,
  ingestParameters,
} from "../api/ingest-parameters.ts";
import { isFault, type Problem, problemFrom, problemHeaders, problemText } from "../api/problem.ts";
import { receiptText } from "../api/receipt.ts";
import { requestIdFrom } from "../api/request-id.ts";
import { batchPath, eventPath } from "../api/routes.ts";
import type { BodyFormat, IngestRequest, Receipt } from "../engine/ingest.ts";
import { InputError } from "../errors.ts";
import type { RouteCounter } from "../monitoring/counters.ts";
import { type Body, type BodyRules, openBodyRules, readBody, refuseByLength } from "./body.ts";
import { refuseEncoding } from "./compression.ts";
import { bodyFormat } from "./media-type.ts";

/** What `POST /events` and `POST /events/batch` differ in. */
interface IngestRoute {
  readonly kind: "event" | "batch";
  readonly counter: RouteCounter;
  readonly rules: BodyRules;
}

/** Answers the ingest routes straight from node:http; true when the request was one. */
export type IngestListener = (
  req: IncomingMessage,
  res: ServerResponse,
  expectsContinue: boolean,
) => boolean;

/**
 * The ingest routes bypass the framework: its Request and Response cost as much as the rest of a small POST.
 * Problems, request ids, counters and logs are those of every other route.
 */
export function ingestListener(front: Front): IngestListener {
  const reserve = (byteLength: number) => front.engine.reserve(byteLength);
  const rules = { ...openBodyRules(front), reserve };
  const event: IngestRoute = {
    kind: "event",
    counter: front.counters.route(`POST ${eventPath}`),
    rules,
  };
  const batch: IngestRoute = {
    kind: "batch",
    counter: front.counters.route(`POST ${batchPath}`),
    rules,
  };
  return (req, res, expectsContinue) => {
    if (req.method !== "POST") return false;
    const url = req.url as string;
    const question = url.indexOf("?");
    const path = question < 0 ? url : url.slice(0, question);
    const route = path === eventPath ? event : path === batchPath ? batch : undefined;
    if (route === undefined) return false;
    const search = question < 0 ? "" : url.slice(question + 1);
    new IngestCall(front, route, req, res).start(search, expectsContinue);
    return true;
  };
}

/** One ingest request from its headers to its answer. */
class IngestCall {
  readonly #front: Front;
  readonly #route: IngestRoute;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #startedMs: number;
  readonly #requestId: string;
  #parameters!: IngestParameters;
  #format!: BodyFormat;
  #idempotencyKey: string | undefined;

  constructor(front: Front, route: IngestRoute, req: IncomingMessage, res: ServerResponse) {
    this.#front = front;
    this.#route = route;
    this.#req = req;
    this.#res = res;
    this.#startedMs = front.clock.monotonicMs();
    this.#requestId = requestIdFrom(req.headers["x-request-id"]);
    front.counters.requestsInFlight++;
  }

  start(search: string, expectsContinue: boolean): void {
    const { headers } = this.#req;
    try {
      refuseWhenBusy(this.#front);
      this.#parameters = ingestParameters(search);
      this.#format = bodyFormat(headers["content-type"], this.#route.kind);
      this.#idempotencyKey = idempotencyKey(headers["idempotency-key"]);
      const refusal =
        refuseEncoding(headers["content-encoding"]) ?? refuseByLength(this.#req, this.#route.rules);
      if (refusal !== null) throw refusal;
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (expectsContinue) this.#res.writeContinue();
    readBody(
      this.#req,
      this.#route.rules,
      (failure, body) => (body === null ? this.#fail(failure) : this.#hand(body)),
      () => this.#dropped(),
    );
  }

  /** Gives the body to the engine, which has it when this returns. */
  #hand(body: Body): void {
    const request: IngestRequest = {
      body: body.place ?? body.chunks,
      byteLength: body.byteLength,
      format: this.#format,
      durable: this.#parameters.durable,
      ...(this.#parameters.mapping && { mapping: this.#parameters.mapping }),
      ...(this.#idempotencyKey !== undefined && { idempotencyKey: this.#idempotencyKey }),
    };
    try {
      this.#front.engine.ingest(request, (failure, receipt) =>
        receipt === null ? this.#fail(failure) : this.#succeed(receipt),
      );
    } catch (error) {
      this.#fail(error);
    } finally {
      body.release();
    }
  }

  #succeed(receipt: Receipt): void {
    if (receipt.errors.length > 0) this.#front.counters.countEventErrors(receipt.errors);
    if (this.#route.kind === "event" && receipt.rejected > 0) {
      const [first] = receipt.errors;
      const { code = "event_rejected", message = "the event was rejected" } = first ?? {};
      this.#answerProblem({ status: 422, code, message, detail: { errors: receipt.errors } });
      return;
    }
    const text = receiptText(receipt);
    const status = this.#parameters.durable ? 200 : 202;
    this.#write(status, text, receipt.errors.length === 0 ? text.length : Buffer.byteLength(text));
  }

  #write(status: number, text: string, byteLength: number): void {
    this.#count(status);
    const headers = [
      "Content-Type",
      "application/json",
      "Content-Length",
      String(byteLength),
      "X-Request-Id",
      this.#requestId,
    ];
    if (this.#front.stopping) headers.push("Connection", "close");
    this.#res.writeHead(status, headers);
    this.#res.end(text);
  }

  #fail(error: unknown): void {
    const problem = problemFrom(error);
    this.#front.counters.countIngestError(problem.code);
    if (isFault(problem)) {
      const fields = { request_id: this.#requestId, code: problem.code, err: error };
      this.#front.log.error(fields, "ingest failed");
    }
    this.#answerProblem(problem);
  }

  #answerProblem(problem: Problem): void {
    this.#count(problem.status);
    const text = problemText(problem, this.#requestId);
    writeRefusal(this.#req, this.#res, problem, text, {
      ...problemHeaders(problem),
      "X-Request-Id": this.#requestId,
      ...(this.#front.stopping && { Connection: "close" }),
    });
  }

  /** The client went away before its body was complete: there is nobody to answer. */
  #dropped(): void {
    this.#front.counters.requestsInFlight--;
    this.#front.counters.requestsAborted++;
  }

  #count(status: number): void {
    const { counters, clock, log } = this.#front;
    counters.requestsInFlight--;
    const ms = clock.monotonicMs() - this.#startedMs;
    this.#route.counter.count(status, ms / 1000);
    if (log.isLevelEnabled("debug")) {
      const { method, url } = this.#req;
      log.debug({ request_id: this.#requestId, method, url, status, ms }, "request");
    }
  }
}

/** A body that is refused unread is still read to its end when little of it is left, else for this long. */
const lingerMs = 1000;
const drainBytesMax = 1024 * 1024;

/**
 * Writes an answer to a request whose body may still be on its way.
 *
 * Closing such a connection at once resets it, and the client may never see the answer: so a short rest is read
 * and the connection kept; otherwise the answer is sent whole and the connection closed when the client stops.
 */
export function writeRefusal(
  req: IncomingMessage,
  res: ServerResponse,
  problem: Problem,
  text: string,
  headers: Record<string, string>,
): void {
  const length = Buffer.byteLength(text);
  // A client that waits for 100 Continue will not send its body after this.
  const endless =
    req.headers["transfer-encoding"] !== undefined || req.headers.expect !== undefined;
  const rest = endless ? Infinity : Number(req.headers["content-length"] ?? 0);
  if (req.complete || rest <= drainBytesMax || req.destroyed) {
    res.writeHead(problem.status, { ...headers, "Content-Length": length });
    res.end(text);
    req.resume();
    return;
  }
  res.writeHead(problem.status, { ...headers, "Content-Length": length, Connection: "close" });
  res.write(text);
  const end = () => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(end, lingerMs);
  req.once("end", end);
  req.once("close", end);
  req.resume();
}

/** For requests that expect something other than `100-continue`. */
export function expectationFailed(expect: string | undefined): InputError {
  const message = `got Expect: ${String(expect).slice(0, 100)}, want 100-continue`;
  return new InputError("expectation_failed", message, {}, 417);
}
