import { ConfigError, MillraceError } from "../errors.ts";
import { callApi } from "./api-client.ts";
import { parseStatsOptions, type StatsOptions, statsHelp } from "./stats-options.ts";
import { type Storage, storageText } from "./stats-tables.ts";

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
    const path = `/api/v1/storage?segments=${options.segments}`;
    const storage = (await callApi(options.url, { method: "GET", path })) as Storage;
    const { columns = Number.POSITIVE_INFINITY, isTTY } = process.stdout;
    const width = isTTY ? columns : Number.POSITIVE_INFINITY;
    console.log(options.json ? JSON.stringify(storage, null, 2) : storageText(storage, width));
    return 0;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    console.error(`millrace stats: ${error.message}`);
    return 1;
  }
}
