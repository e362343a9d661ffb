// A bare Hono handler: reads the body into one buffer and answers.

import type { Server } from "node:http";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type BenchServer, isProgram, listening, runServer } from "./listener.ts";

export function startHono(port = 0): Promise<BenchServer> {
  const app = new Hono();
  app.post("*", async (c) => {
    const body = await c.req.arrayBuffer();
    return c.json({ accepted: 0, duplicates: 0, rejected: 0, errors: [], bytes: body.byteLength });
  });
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
      resolve(listening(server as Server));
    });
  });
}

if (isProgram(import.meta.url)) await runServer(startHono);
