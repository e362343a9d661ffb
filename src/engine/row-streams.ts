import { OverloadError } from "../errors.ts";
import type { QueryInfo, QueryOptions, ResultText } from "./engine.ts";
import { type AskedRows, RowStream, type RowStreamParts } from "./row-stream.ts";

/** Results of rows that are read at once at most; each may have some hundred KiB in memory. */
const streamsMax = 256;

/** The results of rows that clients are reading. */
export class RowStreams {
  readonly #streams = new Set<RowStream>();

  /** @throws OverloadError where too many are read already; what the first page throws */
  begin(
    asked: AskedRows,
    options: QueryOptions,
    parts: Omit<RowStreamParts, "ended">,
  ): Promise<ResultText> {
    if (this.#streams.size >= streamsMax) {
      const message = `${streamsMax} results of rows are being read already`;
      throw new OverloadError("results_waiting", message, 5, 503);
    }
    const ended = () => this.#streams.delete(stream);
    const stream: RowStream = new RowStream(asked, options, { ...parts, ended });
    this.#streams.add(stream);
    return stream.begin();
  }

  /** Those whose clients have a page to read; the others have a query that runs. */
  infos(nowMs: number): QueryInfo[] {
    return [...this.#streams].filter(({ isRead }) => !isRead).map((one) => one.info(nowMs));
  }

  /** Ends the one of this id, if there is one. */
  kill(id: string, error: Error): boolean {
    for (const stream of this.#streams) {
      if (stream.id !== id) continue;
      stream.fail(error);
      return true;
    }
    return false;
  }

  close(error: Error): void {
    for (const stream of this.#streams) stream.fail(error);
  }
}
