import { existsSync, readFileSync } from "node:fs";

/** Beside the folder of this file; two folders further up where benchmarks are compiled. */
function manifestPath(): URL {
  const near = new URL("../package.json", import.meta.url);
  return existsSync(near) ? near : new URL("../../../package.json", import.meta.url);
}

const manifest = JSON.parse(readFileSync(manifestPath(), "utf8")) as { version: string };

/** The version of the package. */
export const version = manifest.version;
