import type { Receipt } from "../engine/ingest.ts";

/** A receipt as JSON text, written by hand: it is made for every request and its shape never varies. */
export function receiptText(receipt: Receipt): string {
  const { accepted, duplicates, rejected, errors, sequences } = receipt;
  const counts = `{"accepted":${accepted},"duplicates":${duplicates},"rejected":${rejected},"errors":`;
  const listed = errors.length === 0 ? "[]" : JSON.stringify(errors.map(errorDocument));
  if (sequences === undefined) return `${counts}${listed}}`;
  let ranges = "";
  for (const { partition, first, last } of sequences) {
    ranges += `${ranges === "" ? "" : ","}{"partition":${partition},"first":"${first}","last":"${last}"}`;
  }
  return `${counts}${listed},"sequences":[${ranges}]}`;
}

/** The same as a value, for MessagePack. */
export function receiptDocument(receipt: Receipt): object {
  return JSON.parse(receiptText(receipt)) as object;
}

function errorDocument({ index, code, message }: Receipt["errors"][number]): object {
  return { index, code, message };
}
