import { InputError } from "../errors.ts";

const version = "1";

/** A place in the windows of a rule, as it is given to subscribers and taken back. */
export interface MetricsCursor {
  /** Number of the rule's version; 0: a question without windows. */
  readonly rule: number;
  /** Which log the order is of: one server's, and there of one time that the rule was watched. */
  readonly run: string;
  readonly order: number;
  /** Everything up to this sequence is known to the holder; null: only a part of a first snapshot is. */
  readonly asOf: bigint | null;
  /** Windows up to this end that time alone has made final since are known too, µs. */
  readonly finalUs: bigint | null;
}

export function metricsCursorOf(cursor: MetricsCursor): string {
  const { rule, run, order, asOf, finalUs } = cursor;
  const text = `${version}m${rule}.${run}.${order}.${asOf ?? ""}.${finalUs ?? ""}`;
  return Buffer.from(text).toString("base64url");
}

/** @throws InputError `invalid_cursor` */
export function readMetricsCursor(text: string): MetricsCursor {
  const plain = Buffer.from(text, "base64url").toString("latin1");
  const match = /^(\d+)m(\d{1,10})\.([0-9a-f]{1,16})\.(\d{1,15})\.(\d{0,19})\.(-?\d{1,19})?$/.exec(
    plain,
  );
  if (match === null) {
    const problem = "got a cursor that no stream of windows of this server has given";
    throw new InputError("invalid_cursor", problem);
  }
  const [, got, rule, run, order, asOf, finalUs] = match;
  if (got !== version) {
    throw new InputError("invalid_cursor", `got a cursor of version ${got}, want ${version}`);
  }
  return {
    rule: Number(rule),
    run: run as string,
    order: Number(order),
    asOf: asOf === "" ? null : BigInt(asOf as string),
    finalUs: finalUs === undefined ? null : BigInt(finalUs),
  };
}
