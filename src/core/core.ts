import { readFileSync } from "node:fs";

/** The core's exports. Addresses and lengths are u32 numbers, 64-bit values are bigints. */
export type CoreExports = Record<string, (...values: (number | bigint)[]) => number | bigint>;

/** One instance of the core over a shared memory. Any thread may make one; making one writes nothing. */
export interface Core {
  readonly memory: WebAssembly.Memory;
  readonly exports: CoreExports;
  /** Views over the whole memory, which never grows after its creation. */
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
}

let compiled: WebAssembly.Module | undefined;

function compile(): WebAssembly.Module {
  const path = process.env.MILLRACE_WASM ?? new URL("../../build/core.wasm", import.meta.url);
  compiled ??= new WebAssembly.Module(readFileSync(path));
  return compiled;
}

const ascii = new TextDecoder("latin1");

/**
 * Attaches an instance of the core to `memory`.
 *
 * Two imports leave the core, both off the hot path: numbers whose correct rounding needs more than
 * 128 bits are parsed, and doubles inside MessagePack arrays are printed, by the JavaScript engine.
 */
export function attachCore(memory: WebAssembly.Memory): Core {
  const u8 = new Uint8Array(memory.buffer);
  const instance = new WebAssembly.Instance(compile(), {
    env: {
      memory,
      abort: (_message: number, _file: number, line: number, column: number) => {
        throw new Error(`BUG: assertion in the core at ${line}:${column}`);
      },
    },
    host: {
      parseNumber: (address: number, length: number) =>
        Number(ascii.decode(u8.slice(address >>> 0, (address >>> 0) + length))),
      formatNumber: (value: number, out: number) => {
        const text = Object.is(value, -0) ? "-0" : String(value);
        for (let i = 0; i < text.length; i++) u8[(out >>> 0) + i] = text.charCodeAt(i);
        return text.length;
      },
    },
  });
  return {
    memory,
    exports: instance.exports as CoreExports,
    u8,
    u32: new Uint32Array(memory.buffer),
    i32: new Int32Array(memory.buffer),
    view: new DataView(memory.buffer),
  };
}
