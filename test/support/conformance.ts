import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "./sources.ts";

// Data and answers that others published. They are not part of the repository; tests that need them are skipped
// where the folder is absent, with this reason in their title.

const folder = process.env.MILLRACE_CONFORMANCE_DATA ?? join(root, "../shared/data");

export const absent = !existsSync(folder);
export const reason = absent ? " (skipped: no conformance data, see docs/testing.md)" : "";

export function dataPath(path: string): string {
  return join(folder, path);
}

/** The bytes of a file, unpacked where its name ends in .gz. */
export function readData(path: string): Buffer {
  const bytes = readFileSync(dataPath(path));
  return path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
}
