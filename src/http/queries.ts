import { Hono } from "hono";
import type { Front } from "../api/front.ts";
import type { QueryInfo } from "../engine/engine.ts";
import { InputError } from "../errors.ts";
import { formatTime } from "../query/time.ts";
import type { AppEnv } from "./analytics.ts";

/** `/queries`: what is running, and a way to end it. */
export function queriesRoutes(front: Front): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/", (c) => c.json({ queries: front.engine.queries().map(shownQuery) }));
  app.delete("/:id", (c) => {
    const id = c.req.param("id");
    const requestId = c.get("requestId");
    if (!front.engine.killQuery(id, `DELETE /api/v1/queries/${id}, request ${requestId}`)) {
      const message = `got ${id.slice(0, 200)}, want the id of a query that runs; GET /api/v1/queries lists them`;
      throw new InputError("query_not_found", message, {}, 404);
    }
    front.log.info({ request_id: requestId, query_id: id }, "a query was killed");
    return c.json({ id, state: "ending" });
  });
  return app;
}

function shownQuery(query: QueryInfo): Record<string, unknown> {
  return {
    id: query.id,
    kind: query.kind,
    state: query.state,
    text: query.text,
    request_id: query.requestId,
    started: formatTime(query.startedUs),
    elapsed_ms: Math.round(query.elapsedMs),
    rows_scanned: query.rowsScanned,
    rows_total: query.rowsTotal,
    workers: query.workers,
    timeout_ms: query.timeoutMs,
    memory_bytes: query.memoryBytes,
  };
}
