// One message of windows, encoded once for everyone who is at the same place.

import { encode } from "@msgpack/msgpack";
import { formatTime } from "../query/time.ts";
import type { Rule } from "../stream/rule.ts";
import { WindowTexts } from "../stream/window-text.ts";
import type { WindowEntry, WindowLog } from "./metrics-log.ts";
import { packJson } from "./protocol.ts";
import { readyFrame } from "./ready-frame.ts";

/** A place in what a channel sends. */
export interface Place {
  /** What was read again for one who was too far behind, or the log of everyone; null: a question's results. */
  readonly log: WindowLog | null;
  readonly order: number;
  /** Everything up to this sequence has been sent; null: a part of the first snapshot at most. */
  readonly asOf: bigint | null;
  readonly finalUs: bigint | null;
  /** Of what was there when a snapshot began only the last final windows are sent. */
  readonly snapshotTo: number;
}

export interface PageParts {
  /** JSON text of each window, and the same as MessagePack. */
  readonly json: readonly string[];
  readonly packed: () => readonly Uint8Array[];
  readonly snapshot: boolean;
  readonly more: boolean;
  readonly leftOff: number;
  readonly cursor: string;
  readonly next: Place;
}

/** Windows of one message, and the place after them. */
export class Page {
  readonly next: Place;
  readonly #parts: PageParts;
  readonly #jsonFrames = new Map<string, Buffer>();
  readonly #packedFrames = new Map<string, Buffer>();
  #event: Buffer | null = null;
  #jsonTail: Buffer | null = null;
  #packedTail: Buffer | null = null;

  constructor(parts: PageParts) {
    this.next = parts.next;
    this.#parts = parts;
  }

  get count(): number {
    return this.#parts.json.length;
  }

  /** It says something: an empty snapshot does too. */
  get isTelling(): boolean {
    const { json, snapshot, more, leftOff } = this.#parts;
    return json.length > 0 || leftOff > 0 || (snapshot && !more);
  }

  /** What a WebSocket is sent for the subscription `id`; those with equal ids share one buffer. */
  frame(id: string, packed: boolean): Buffer {
    const frames = packed ? this.#packedFrames : this.#jsonFrames;
    let frame = frames.get(id);
    if (frame === undefined) {
      frame = readyFrame(this.message(id, packed), packed);
      // Ids that are all different are not to be kept beside the parts that they share.
      if (frames.size < framesMax) frames.set(id, frame);
    }
    return frame;
  }

  /** The message in the frame. */
  message(id: string, packed: boolean): Buffer {
    if (packed) return this.#packed(id);
    return Buffer.concat([
      Buffer.from(`{"type":"metrics","id":${JSON.stringify(id)},`),
      this.#json(),
    ]);
  }

  /** The same as a Server-Sent Event. */
  event(): Buffer {
    this.#event ??= Buffer.concat([
      Buffer.from(`event: metrics\nid: ${this.#parts.cursor}\ndata: {"type":"metrics",`),
      this.#json(),
      Buffer.from("\n\n"),
    ]);
    return this.#event;
  }

  /** `…"windows":[…],"cursor":"…"}` */
  #json(): Buffer {
    const { json, snapshot, more, leftOff, cursor } = this.#parts;
    this.#jsonTail ??= Buffer.from(
      `${snapshot ? '"snapshot":true,' : ""}"windows":[${json.join(",")}],` +
        `${leftOff > 0 ? `"groups_left_off":${leftOff},` : ""}${more ? '"more":true,' : ""}` +
        `"cursor":"${cursor}"}`,
    );
    return this.#jsonTail;
  }

  #packed(id: string): Buffer {
    const { packed, snapshot, more, leftOff, cursor } = this.#parts;
    const members = 4 + Number(snapshot) + Number(more) + Number(leftOff > 0);
    if (this.#packedTail === null) {
      const windows = packed();
      const plain: Uint8Array[] = [];
      if (snapshot) plain.push(encode("snapshot"), encode(true));
      if (leftOff > 0) plain.push(encode("groups_left_off"), encode(leftOff));
      if (more) plain.push(encode("more"), encode(true));
      plain.push(encode("windows"), arrayHead(windows.length), ...windows);
      plain.push(encode("cursor"), encode(cursor));
      this.#packedTail = Buffer.concat(plain);
    }
    const head = [Uint8Array.of(0x80 | members)];
    for (const text of ["type", "metrics", "id", id]) head.push(encode(text));
    return Buffer.concat([...head, this.#packedTail]);
  }
}

/** Different ids of which a page keeps the whole frame. */
const framesMax = 64;

/** MessagePack's head of an array. */
function arrayHead(length: number): Uint8Array {
  if (length < 16) return Uint8Array.of(0x90 | length);
  if (length < 65_536) return Uint8Array.of(0xdc, length >> 8, length & 0xff);
  const bytes = new Uint8Array(5);
  bytes[0] = 0xdd;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

/** Writes the entries of one rule's log, each once. */
export class EntryTexts {
  readonly #texts: WindowTexts;

  constructor(rule: Rule) {
    this.#texts = new WindowTexts(rule);
  }

  json(entry: WindowEntry): string {
    if (entry.json === null) {
      const text = this.#texts.text(entry.row);
      const starts = entry.replaces.map((us) => `"${formatTime(us)}"`).join(",");
      entry.json = starts === "" ? text : `${text.slice(0, -1)},"replaces":[${starts}]}`;
    }
    return entry.json;
  }

  packed(entry: WindowEntry): Uint8Array {
    entry.packed ??= packJson(this.json(entry));
    return entry.packed;
  }
}
