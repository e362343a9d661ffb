// The naive twin of the ingest API, as one would write it first: Hono, JSON.parse, a loop of checks, a look-up
// and one LMDB put per event, and a flush before a durable answer.

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { decode } from "@msgpack/msgpack";
import type { Context } from "hono";
import { Hono } from "hono";
import { open, type RootDatabase } from "lmdb";
import { type BenchServer, isProgram, listening, runServer } from "./listener.ts";

interface StoredEvent {
  id: string;
  timestamp: string;
  event_type: string;
  source?: string;
  user_id?: string;
  session_id?: string;
  properties: Record<string, unknown>;
  sequence: number;
  received_at: string;
}

interface Rejection {
  index: number;
  code: string;
  message: string;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Why the value is no event, or null. */
function fault(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "want an object";
  const event = value as Record<string, unknown>;
  if (typeof event.event_type !== "string") return "event_type: want text";
  if (event.id !== undefined && (typeof event.id !== "string" || !uuid.test(event.id))) {
    return "id: want a UUID";
  }
  if (typeof event.timestamp !== "string" || !rfc3339.test(event.timestamp)) {
    return "timestamp: want RFC 3339";
  }
  if (Number.isNaN(Date.parse(event.timestamp))) return "timestamp: there is no such time";
  for (const key of ["source", "user_id", "session_id"]) {
    if (event[key] !== undefined && typeof event[key] !== "string") return `${key}: want text`;
  }
  const { properties } = event;
  const isObject = typeof properties === "object" && properties !== null;
  return isObject && !Array.isArray(properties) ? null : "properties: want an object";
}

class TwinStore {
  private readonly db: RootDatabase<StoredEvent, string>;
  private sequence = 0;

  constructor(folder: string) {
    this.db = open<StoredEvent, string>({ path: join(folder, "twin.mdb"), noSubdir: true });
  }

  async take(values: readonly unknown[], durable: boolean) {
    const errors: Rejection[] = [];
    const first = this.sequence;
    let accepted = 0;
    let duplicates = 0;
    const seen = new Set<string>();
    for (const [index, value] of values.entries()) {
      const message = fault(value);
      if (message !== null) {
        errors.push({ index, code: "invalid_event", message });
        continue;
      }
      const event = value as StoredEvent;
      const id = event.id ?? randomUUID();
      if (seen.has(id) || this.db.get(id) !== undefined) {
        duplicates++;
        continue;
      }
      seen.add(id);
      const received_at = new Date().toISOString();
      void this.db.put(id, { ...event, id, sequence: this.sequence++, received_at });
      accepted++;
    }
    if (durable) await this.db.flushed;
    const sequences = [{ partition: 0, first: String(first), last: String(this.sequence - 1) }];
    return { accepted, duplicates, rejected: errors.length, errors, sequences };
  }

  close(): Promise<void> {
    return this.db.close();
  }
}

async function bodyOf(c: Context): Promise<unknown> {
  if (c.req.header("content-type") === "application/msgpack") {
    return decode(await c.req.arrayBuffer());
  }
  return c.req.json();
}

export function startTwin(port = 0): Promise<BenchServer> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-twin-"));
  const store = new TwinStore(folder);
  const app = new Hono();
  const ingest = async (c: Context) => {
    let body: unknown;
    try {
      body = await bodyOf(c);
    } catch (error) {
      return c.json({ status: 400, title: "Bad Request", detail: String(error) }, 400);
    }
    const wrapped = (body as { events?: unknown } | null)?.events;
    const values = Array.isArray(body) ? body : Array.isArray(wrapped) ? wrapped : [body];
    const durable = c.req.query("ack") !== "memory";
    return c.json(await store.take(values, durable), durable ? 200 : 202);
  };
  app.post("/api/v1/events", ingest);
  app.post("/api/v1/events/batch", ingest);
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
      const { port: bound, close } = listening(server as Server);
      const closeAll = async () => {
        await close();
        await store.close();
        rmSync(folder, { recursive: true, force: true });
      };
      resolve({ port: bound, close: closeAll });
    });
  });
}

if (isProgram(import.meta.url)) await runServer(startTwin);
