import { parseExactJson } from "../base/exact-json.ts";
import type { ResultText } from "../engine/engine.ts";

/** The bytes of a result as they are made; leaving the loop early ends what makes them. */
export async function* piecesOf({ pieces, rest }: ResultText): AsyncGenerator<Uint8Array, void> {
  let failure: Error | undefined;
  rest?.onFailure((error) => {
    failure = error;
  });
  let ended = rest === null;
  try {
    yield* pieces;
    while (!ended && rest !== null) {
      if (failure !== undefined) throw failure;
      const next = await rest.next();
      ended = next.length === 0;
      yield* next;
    }
  } finally {
    if (!ended) rest?.cancel();
  }
}

/** The objects of NDJSON. */
export async function* objectsOf<Row>(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Row, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of pieces) {
    const lines = (text + decoder.decode(piece, { stream: true })).split("\n");
    // The last one is not over yet.
    text = lines.pop() ?? "";
    for (const line of lines) yield parseExactJson(line) as Row;
  }
}
