import { type Context, Hono } from "hono";
import { refuseWhenBusy } from "../api/admission.ts";
import type { Front } from "../api/front.ts";
import {
  isFault,
  methodNotAllowed,
  notFound,
  problemFrom,
  problemHeaders,
  problemText,
  upgradeRequired,
} from "../api/problem.ts";
import { queryParameters } from "../api/query-string.ts";
import { requestIdFrom } from "../api/request-id.ts";
import {
  aggregationsPath,
  methodsOf,
  metricsStreamPath,
  monitoringPaths,
  patternOf,
  queriesPath,
  storagePath,
  streamPath,
} from "../api/routes.ts";
import type { EventStreams } from "../live/event-streams.ts";
import { openMetrics } from "../monitoring/metrics.ts";
import { aggregationsRoutes } from "./aggregations.ts";
import { type AppEnv, analyticsRoutes } from "./analytics.ts";
import { health, readiness } from "./health.ts";
import { negotiate } from "./media-type.ts";
import { metricsStreamRoutes } from "./metrics-stream.ts";
import { openApiDocument } from "./openapi.ts";
import { queriesRoutes } from "./queries.ts";
import { storageDocument } from "./storage.ts";
import { welcomeDocument, welcomeHeaders, welcomePage } from "./welcome.ts";

/** Every route but the ingest ones, which `ingestListener` answers before this app sees a request. */
export function openApp(front: Front, streams: EventStreams): Hono<AppEnv> {
  const metrics = openMetrics({
    stats: () => front.engine.stats(),
    counters: front.counters,
    queries: () => front.engine.queryFigures(),
    streams: () => front.engine.streams.stats(),
    bodyBytes: () => front.bodyBudget.bytes,
    version: front.version,
  });
  const app = new Hono<AppEnv>();
  app.use(async (c, next) => {
    const startedMs = front.clock.monotonicMs();
    const requestId = requestIdFrom(c.req.header("x-request-id"));
    c.set("requestId", requestId);
    c.header("X-Request-Id", requestId);
    if (front.stopping) c.header("Connection", "close");
    front.counters.requestsInFlight++;
    try {
      await next();
    } finally {
      front.counters.requestsInFlight--;
    }
    count(front, c, front.clock.monotonicMs() - startedMs);
  });
  app.use("/api/v1/analytics/*", async (_c, next) => {
    refuseWhenBusy(front);
    await next();
  });
  app.route("/api/v1/analytics", analyticsRoutes(front, metrics.observeQuery));

  app.route(aggregationsPath, aggregationsRoutes(front));
  app.route(queriesPath, queriesRoutes(front));
  app.route(metricsStreamPath, metricsStreamRoutes(front, streams));

  for (const path of monitoringPaths("/health")) {
    app.get(path, (c) => c.json(health(front).document, 200));
  }
  for (const path of monitoringPaths("/health/live")) {
    app.get(path, (c) => c.json({ status: "ok" }));
  }
  for (const path of monitoringPaths("/health/ready")) {
    app.get(path, (c) => {
      const { status, document } = readiness(front);
      return c.json(document, status);
    });
  }
  for (const path of monitoringPaths("/metrics")) {
    app.get(path, async (c) =>
      c.text(await metrics.text(), 200, { "Content-Type": metrics.contentType }),
    );
  }
  app.get(storagePath, (c) => {
    const parameters = queryParameters(new URL(c.req.url).search);
    return c.json(storageDocument(front, parameters));
  });
  const openApi = JSON.stringify(openApiDocument(front.version));
  app.get("/api/v1/openapi.json", (c) =>
    c.body(openApi, 200, { "Content-Type": "application/json" }),
  );
  app.get("/", (c) => {
    const type = negotiate(c.req.header("accept"), ["application/json", "text/html"]);
    if (type === "application/json") return c.json(welcomeDocument(front));
    return c.body(welcomePage(front, new URL(c.req.url).origin), 200, welcomeHeaders);
  });

  app.notFound((c) => answerProblem(front, c, refusal(c)));
  app.onError((error, c) => answerProblem(front, c, error));
  return app;
}

/** Why no route took the request. */
function refusal(c: Context<AppEnv>): Error {
  const { path, method } = c.req;
  const methods = methodsOf(path);
  if (methods === undefined) return notFound(path);
  if (path === streamPath && method === "GET") return upgradeRequired(path);
  return methodNotAllowed(method, path, methods);
}

function answerProblem(front: Front, c: Context<AppEnv>, error: unknown): Response {
  const problem = problemFrom(error);
  const requestId = c.get("requestId");
  const queryId = c.get("queryId");
  // A query that its client has given up is nobody's failure.
  const gone = c.req.raw.signal.aborted;
  if (isFault(problem) && !gone) {
    const fields = { request_id: requestId, ...(queryId !== undefined && { query_id: queryId }) };
    front.log.error({ ...fields, code: problem.code, err: error }, "request failed");
  }
  // Statuses below come from errors of ours and can all carry a body.
  return c.body(problemText(problem, requestId), problem.status as 400, problemHeaders(problem));
}

/** The route's pattern as the label, so that no caller can make new ones. */
function count(front: Front, c: Context<AppEnv>, ms: number): void {
  const { path, method } = c.req;
  const known = methodsOf(path)?.includes(method) === true;
  const { status } = c.res;
  front.counters.route(known ? `${method} ${patternOf(path)}` : "other").count(status, ms / 1000);
  if (!front.log.isLevelEnabled("debug")) return;
  const fields = { request_id: c.get("requestId"), method, url: c.req.url, status, ms };
  front.log.debug(fields, "request");
}
