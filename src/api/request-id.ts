import { randomUUID } from "node:crypto";

const acceptable = /^[\w.:/+=@-]{1,128}$/;

/** The caller's own id when it can be logged and sent back as it is, else a fresh one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === "string" && acceptable.test(header) ? header : randomUUID();
}
