import { ConfigError } from "../errors.ts";
import { parseStatsOptions, type StatsOptions, statsHelp } from "./stats-options.ts";
import { type Storage, storageText } from "./stats-tables.ts";

const TIMEOUT_MS = 30_000;

/** `millrace stats`: the exit code is 0, 1 when the server can't be asked, 2 for flags. */
export async function runStats(argv: string[]): Promise<number> {
  let options: StatsOptions | undefined;
  try {
    options = parseStatsOptions(argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`millrace stats: ${error.message}`);
    return 2;
  }
  if (options === undefined) {
    console.log(statsHelp);
    return 0;
  }
  try {
    const storage = await askStorage(options);
    const { columns = Number.POSITIVE_INFINITY, isTTY } = process.stdout;
    const width = isTTY ? columns : Number.POSITIVE_INFINITY;
    console.log(options.json ? JSON.stringify(storage, null, 2) : storageText(storage, width));
    return 0;
  } catch (error) {
    console.error(`millrace stats: ${(error as Error).message}`);
    return 1;
  }
}

async function askStorage({ url, segments }: StatsOptions): Promise<Storage> {
  const address = new URL(`/api/v1/storage?segments=${segments}`, url);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(address, { signal }).catch((error: Error) => {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    throw new Error(`can't reach ${url.host}: ${reason}`, { cause: error });
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as Storage;
  const detail = /"detail":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const words = detail === undefined ? text.slice(0, 200) : (JSON.parse(detail) as string);
  throw new Error(`the server answered ${response.status}: ${words}`);
}
