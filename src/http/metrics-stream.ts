import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { refuseWhenBusy } from "../api/admission.ts";
import type { Front } from "../api/front.ts";
import { queryParameters } from "../api/query-string.ts";
import type { EventStreams } from "../live/event-streams.ts";
import { readMetricsParams } from "../live/metrics-protocol.ts";
import type { AppEnv } from "./analytics.ts";

/** `GET /stream/metrics`: windows as Server-Sent Events. */
export function metricsStreamRoutes(front: Front, streams: EventStreams): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/", async (c) => {
    refuseWhenBusy(front);
    const request = readMetricsParams(queryParameters(new URL(c.req.url).search));
    if (c.req.method === "HEAD") return c.body(null, 200, { "Content-Type": "text/event-stream" });
    const { incoming, outgoing } = c.env;
    const headers = { "X-Request-Id": c.get("requestId") };
    await streams.serve(incoming, outgoing, request, headers);
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}
