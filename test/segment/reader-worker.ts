// Reads hot slots on its own thread, with its own instance, while the writer applies: started by the test.
import { parentPort, workerData } from "node:worker_threads";
import { Columns } from "../../src/core/columns.ts";
import { attachCore } from "../../src/core/core.ts";
import { SlotReader, type SlotView } from "../../src/core/slots.ts";
import { laneOf } from "../support/make-batch.ts";
import { mulberry32 } from "../support/random.ts";
import { sequenceCells } from "../support/sequence-rows.ts";

interface Task {
  memory: WebAssembly.Memory;
  /** Word 0: the writer has ended. */
  control: SharedArrayBuffer;
  reader: number;
}

const { memory, control, reader } = workerData as Task;
const core = attachCore(memory);
const slots = new SlotReader(core, reader);
const columns = new Columns(core);
const random = mulberry32(reader + 1);
const ended = new Int32Array(control);
let cellsRead = 0;
let lists = 0;
let rowsSeen = 0;

/** The first cell that is not what the writer put there, or "". */
function wrongCell(slot: SlotView, row: number): string {
  const sequence = Number(slot.firstSequence) + row;
  for (const [path, want] of sequenceCells(sequence)) {
    const column = columns.find(slot.address, path, laneOf(want));
    const got = column === 0 ? undefined : columns.cell(column, row);
    cellsRead++;
    if (column === 0 || !columns.has(column, row) || String(got) !== String(want)) {
      return `${path} of sequence ${sequence}: got ${String(got)}, want ${String(want)}`;
    }
  }
  return "";
}

function readAll(list: readonly SlotView[]): string {
  for (const slot of list) {
    if (slot.rows === 0) continue;
    const last = wrongCell(slot, slot.rows - 1);
    if (last !== "") return last;
    for (let i = 0; i < 20; i++) {
      const wrong = wrongCell(slot, Math.floor(random() * slot.rows));
      if (wrong !== "") return wrong;
    }
  }
  return "";
}

parentPort?.postMessage("ready");
let wrong = "";
while (wrong === "" && Atomics.load(ended, 0) === 0) {
  wrong = slots.pinned((list) => {
    lists++;
    const last = list.at(-1);
    const rows = last === undefined ? 0 : Number(last.firstSequence) + last.rows;
    if (rows < rowsSeen) return `rows went back from ${rowsSeen} to ${rows}`;
    rowsSeen = rows;
    return readAll(list);
  });
}
parentPort?.postMessage({ wrong, cellsRead, lists, rowsSeen });
