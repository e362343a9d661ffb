import { OverloadError } from "../errors.ts";
import type { Front } from "./front.ts";

/** Throws OverloadError when no more requests are taken; the asking one is already counted as in flight. */
export function refuseWhenBusy({ stopping, counters, config }: Front): void {
  if (stopping) throw new OverloadError("stopping", "the server is stopping", 5, 503);
  if (counters.requestsInFlight > config.requestsMax) {
    const message = `${config.requestsMax} requests are in flight, which is as many as are taken`;
    throw new OverloadError("too_many_requests_in_flight", message, 1, 503);
  }
}
