// Rows as the JSON text of whole events: columns become nested objects again.

import { LANE_BOOLEAN, LANE_ID, LANE_JSON, LANE_NULL, LANE_NUMBER } from "../../core/layout.ts";
import type { Cells, LaneColumn } from "../columns/cells.ts";
import { propertiesPrefix, splitKeys } from "../paths.ts";
import type { Segment } from "../segments/source.ts";
import { formatTime } from "../time.ts";
import { joinMembers, type Member, topMembers } from "./json-members.ts";

/** The column that takes the paths beyond the limit of a batch: objects of { "full path": value }. */
const overflowPath = "overflow";

/** One key of `properties`, or of an object within. */
interface Node {
  /** `"key":` */
  readonly label: string;
  readonly columns: LaneColumn[];
  readonly children: Map<string, Node>;
}

/** Texts of a dictionary, quoted, by code; dictionaries with more entries are not kept. */
const keptTextsMax = 4096;

/** Writes the events of one segment. Good while the segment's columns are. */
export class EventText {
  readonly #segment: Segment;
  readonly #cells: Cells;
  readonly #fixed = new Map<string, LaneColumn[]>();
  readonly #properties: Node = { label: "", columns: [], children: new Map() };
  readonly #quoted = new Map<number, string[]>();
  readonly #received: ReturnType<Segment["received"]>;

  constructor(segment: Segment, cells: Cells) {
    this.#segment = segment;
    this.#cells = cells;
    this.#received = segment.received();
    for (const column of segment.columns()) {
      const { path, lane, address } = column;
      if (path.startsWith(propertiesPrefix)) this.#node(path).columns.push({ lane, address });
      else this.#fixed.set(path, [...(this.#fixed.get(path) ?? []), { lane, address }]);
    }
  }

  #node(path: string): Node {
    let node = this.#properties;
    for (const key of splitKeys(path.slice(propertiesPrefix.length)) ?? [path]) {
      let child = node.children.get(key);
      if (!child) {
        child = { label: `${JSON.stringify(key)}:`, columns: [], children: new Map() };
        node.children.set(key, child);
      }
      node = child;
    }
    return node;
  }

  /** The event in `row`, as the API shows it. */
  write(row: number): string {
    const time = this.#number("timestamp", row);
    let text = `{"id":${this.#field("id", row) ?? "null"},"timestamp":"${formatTime(time)}"`;
    for (const path of ["event_type", "source", "user_id", "session_id"]) {
      const value = this.#field(path, row);
      if (value !== undefined) text += `,"${path}":${value}`;
    }
    const sequence = this.#segment.firstSequence + BigInt(row);
    return (
      `${text},"properties":${this.properties(row)},"sequence":"${sequence}",` +
      `"received_at":"${formatTime(this.#receivedAt(row))}","lateness_us":${this.#number("lateness_us", row)}}`
    );
  }

  /** The object of all properties of the event in `row`. */
  properties(row: number): string {
    const overflow = this.#fixed.get(overflowPath);
    const more = overflow ? this.#value(overflow, row) : undefined;
    if (more !== undefined) return this.#withOverflow(row, more);
    return this.#object(this.#properties, row) ?? "{}";
  }

  /** The object of a node, or undefined when the row has nothing in it. */
  #object(node: Node, row: number): string | undefined {
    let text = "";
    for (const child of node.children.values()) {
      const value = this.#value(child.columns, row) ?? this.#object(child, row);
      if (value !== undefined) text += `${text === "" ? "{" : ","}${child.label}${value}`;
    }
    return text === "" ? undefined : `${text}}`;
  }

  /** Members of the overflow column belong between those that have columns: both are collected, then nested. */
  #withOverflow(row: number, overflow: string): string {
    const members: Member[] = [];
    const collect = (node: Node, keys: readonly string[]): void => {
      for (const [key, child] of node.children) {
        const path = [...keys, key];
        const value = this.#value(child.columns, row);
        if (value !== undefined) members.push({ keys: path, value });
        collect(child, path);
      }
    };
    collect(this.#properties, []);
    for (const { key, value } of topMembers(overflow)) {
      const path = key.startsWith(propertiesPrefix) ? key.slice(propertiesPrefix.length) : key;
      members.push({ keys: splitKeys(path) ?? [path], value });
    }
    return joinMembers(members);
  }

  #field(path: string, row: number): string | undefined {
    const columns = this.#fixed.get(path);
    return columns && this.#value(columns, row);
  }

  /** JSON text of the lane that has a value. */
  #value(columns: readonly LaneColumn[], row: number): string | undefined {
    for (const { lane, address } of columns) {
      const page = this.#cells.page(address, row);
      if (page === 0) continue;
      if (lane === LANE_NULL) return "null";
      if (lane === LANE_NUMBER) {
        const value = this.#cells.number(address, page, row);
        return Object.is(value, -0) ? "-0" : String(value);
      }
      if (lane === LANE_BOOLEAN) return this.#cells.raw(page, row) === 0 ? "false" : "true";
      if (lane === LANE_ID) return `"${this.#cells.id(page, row)}"`;
      const code = this.#cells.raw(page, row);
      return lane === LANE_JSON ? this.#cells.text(address, code) : this.#quote(address, code);
    }
    return undefined;
  }

  #quote(column: number, code: number): string {
    if (code >= keptTextsMax) return JSON.stringify(this.#cells.text(column, code));
    let texts = this.#quoted.get(column);
    if (!texts) {
      texts = [];
      this.#quoted.set(column, texts);
    }
    texts[code] ??= JSON.stringify(this.#cells.text(column, code));
    return texts[code] as string;
  }

  /** An integer of a fixed field; 0 where it is absent, as a lateness of 0 is. */
  #number(path: string, row: number): bigint {
    const column = this.#fixed.get(path)?.[0];
    const page = column ? this.#cells.page(column.address, row) : 0;
    return column && page !== 0 ? BigInt(this.#cells.number(column.address, page, row)) : 0n;
  }

  #receivedAt(row: number): bigint {
    const records = this.#received;
    let [low, high] = [0, records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((records[middle]?.firstRow ?? 0) <= row) low = middle + 1;
      else high = middle;
    }
    return records[low - 1]?.receivedAtUs ?? 0n;
  }
}
