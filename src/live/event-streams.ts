import type { IncomingMessage, ServerResponse } from "node:http";
import type { Front } from "../api/front.ts";
import { MetricsEvents, withLastEvent } from "./metrics-events.ts";
import type { MetricsHub } from "./metrics-hub.ts";
import type { MetricsRequest } from "./metrics-protocol.ts";
import { refuseForeignOrigin } from "./origin.ts";

/** All streams of Server-Sent Events of a server. */
export class EventStreams {
  readonly #front: Front;
  readonly #hub: MetricsHub;
  readonly #open = new Set<MetricsEvents>();

  constructor(front: Front, hub: MetricsHub) {
    this.#front = front;
    this.#hub = hub;
  }

  /** Answers a request with windows until the client goes. Rejects, before anything is written, with why not. */
  async serve(
    req: IncomingMessage,
    res: ServerResponse,
    request: MetricsRequest,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    refuseForeignOrigin(this.#front, req);
    const { origin } = req.headers;
    const allowed: Record<string, string> =
      origin === undefined ? {} : { "Access-Control-Allow-Origin": origin, Vary: "Origin" };
    const stream = new MetricsEvents(this.#front, res, { ...headers, ...allowed }, () => {
      this.#open.delete(stream);
    });
    this.#open.add(stream);
    await stream.open(this.#hub, withLastEvent(request, req));
  }

  /** To be called once a heartbeat's interval. */
  beat(): void {
    for (const stream of this.#open) stream.beat();
  }

  /** Ends them all. */
  close(): void {
    for (const stream of this.#open) stream.end();
  }
}
