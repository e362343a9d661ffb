import { assert } from "./base/assert.ts";

// Bounds that are part of the product. Each is named with its unit; the asserts below say how they relate.

/** Largest body after decompression. */
export const bodyBytesMax = 32 * 1024 * 1024;
/** Events in one request. */
export const batchEventsMax = 131_072;
/** Bytes of one event in its request. */
export const eventBytesMax = 1024 * 1024;
/** Bytes of one key, unescaped, and of one flattened path. */
export const keyBytesMax = 512;
export const pathBytesMax = 2048;
/** Bytes of one string value, unescaped. */
export const stringBytesMax = 256 * 1024;
/** Nesting of one event, the event itself being level 1. */
export const eventDepthMax = 64;
/** Nesting that the parser follows to say where a body goes wrong. */
export const bodyDepthMax = 1024;
/** Columns (path and lane) of one batch; later paths go to the overflow column. */
export const batchColumnsMax = 2048;
/** Leaf values of one event. */
export const eventColumnsMax = 2048;
/** Errors listed in a receipt; the rest are only counted. */
export const receiptErrorsMax = 1000;
/** Bytes of one SQL text, statement or expression. */
export const sqlBytesMax = 64 * 1024;
/** Nesting of one condition. */
export const predicateDepthMax = 256;
/** Events in one page of `GET /analytics/events`, at most and where the request doesn't say. */
export const eventsPageMax = 10_000;
export const eventsPageDefault = 100;
/** Characters of one such page: it ends after the event that reaches this, wherever its limit is. */
export const eventsPageCharsMax = 16 * 1024 * 1024;
/** Groups and rows of one result. */
export const resultGroupsMax = 1_000_000;
export const resultRowsMax = 1_000_000;
/** Rows of one segment. */
export const segmentRowsMax = 131_072;

assert(batchEventsMax <= segmentRowsMax, "a batch fits an empty segment");
assert(eventBytesMax <= bodyBytesMax, "an event fits a body");
assert(stringBytesMax <= eventBytesMax, "a string fits an event");
assert(eventDepthMax <= bodyDepthMax, "an event that is too deep is still parsed to its end");
