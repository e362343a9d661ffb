import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { root } from "../support/sources.ts";

// How the process ends while its threads are busy, tried in a process of its own.

const exit = JSON.stringify(pathToFileURL(join(root, "dist/base/exit.js")).href);

/** The end of a process in which a thread runs `inThread`, as soon as that has posted a message. */
function endOf(inThread: string): { readonly code: number | null; readonly said: string } {
  const thread = `import(${exit}).then(({ uncut }) => {
    const { parentPort } = require("node:worker_threads");
    const { writeSync } = require("node:fs");
    const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    ${inThread}
  });`;
  const program = `import { Worker } from "node:worker_threads";
    import { endProcess } from ${exit};
    const worker = new Worker(${JSON.stringify(thread)}, { eval: true, execArgv: [] });
    worker.once("message", () => endProcess(3));`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { encoding: "utf8", timeout: 20_000 },
  );
  return { code: status, said: stdout };
}

test("a call that can't bear it is not cut off", () => {
  const call = `uncut(() => { parentPort.postMessage(0); pause(400); writeSync(1, "whole"); });`;
  expect(endOf(call)).toEqual({ code: 3, said: "whole" });
});

test("none begins once the process ends, and what takes too long is cut off", () => {
  const late = `parentPort.postMessage(0); pause(20); uncut(() => writeSync(1, "begun"));`;
  expect(endOf(late)).toEqual({ code: 3, said: "" });
  const long = `uncut(() => { parentPort.postMessage(0); pause(60_000); });`;
  expect(endOf(long)).toEqual({ code: 3, said: "" });
});
