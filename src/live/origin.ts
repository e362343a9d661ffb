import type { IncomingMessage } from "node:http";
import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";

/**
 * Browsers let any page open a WebSocket to any server, this one on a developer's machine included, and only
 * tell the server the page's origin. Programs send none.
 */
export function refuseForeignOrigin(front: Front, req: IncomingMessage): void {
  const { origin, host } = req.headers;
  const { allowedOrigins } = front.config;
  if (origin === undefined || allowedOrigins.includes("*")) return;
  if (allowedOrigins.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  const message = `got Origin ${origin.slice(0, 200)}, want the server's own or one of --allowed-origins`;
  throw new InputError("origin_not_allowed", message, {}, 403);
}
