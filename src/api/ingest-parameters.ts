import { z } from "zod";
import type { FieldMapping } from "../engine/ingest.ts";
import { InputError } from "../errors.ts";
import { pathBytesMax } from "../limits.ts";
import { parseShape, strictShape } from "../query/form/shape.ts";
import { queryParameters } from "./query-string.ts";

const place = z
  .string()
  .min(1)
  .max(pathBytesMax)
  .refine((text) => !text.startsWith("'") || (text.length > 1 && text.endsWith("'")), {
    error: ({ input }) => `got ${input}, want a field, or a constant between single quotes`,
  })
  .optional();

/** The parameters of the ingest routes. A place is a field's path or a constant between single quotes. */
export const ingestParametersSchema = strictShape({
  ack: z
    .enum(["durable", "memory"])
    .default("durable")
    .describe("durable: answered when it is on disk. memory: answered at once, with 202"),
  id: place.describe("where the id is"),
  timestamp: place.describe("where the timestamp is"),
  event_type: place.describe("where the event type is"),
  source: place.describe("where the source is"),
  user_id: place.describe("where the user's id is"),
  session_id: place.describe("where the session's id is"),
  timestamp_unit: z
    .enum(["s", "ms", "us", "ns"])
    .optional()
    .describe("unit of numeric timestamps; without it the number's size decides"),
});

export interface IngestParameters {
  readonly durable: boolean;
  readonly mapping: FieldMapping | undefined;
}

const plain: IngestParameters = { durable: true, mapping: undefined };

/** Clients send the same parameters with every request, so that a few readings are kept. */
const known = new Map<string, IngestParameters>();
const knownMax = 256;

/** Reads what follows the `?` of an ingest URL; throws InputError that names the parameter. */
export function ingestParameters(search: string): IngestParameters {
  if (search === "") return plain;
  const before = known.get(search);
  if (before !== undefined) return before;
  const { ack, ...rest } = parseShape(
    ingestParametersSchema,
    queryParameters(search),
    "invalid_parameter",
  );
  const places = Object.entries(rest).filter(([, value]) => value !== undefined);
  const mapping = places.length === 0 ? undefined : (Object.fromEntries(places) as FieldMapping);
  const parameters = { durable: ack === "durable", mapping };
  if (known.size >= knownMax) known.clear();
  known.set(search, parameters);
  return parameters;
}

/** The `Idempotency-Key` header; throws InputError when it can't be one. */
export function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = String(header);
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)) return key;
  throw new InputError(
    "invalid_idempotency_key",
    `got an Idempotency-Key of ${key.length} characters, want 1 to 255 of printable ASCII`,
  );
}
