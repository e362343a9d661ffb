import { Presets, SingleBar } from "cli-progress";
import type { Clock } from "../base/clock.ts";

/** Says how far an import is. Written to standard error, so that standard output holds only the summary. */
export interface Progress {
  update(bytes: number, events: number): void;
  note(line: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 2_000;

export const count = new Intl.NumberFormat("en-US");

/** A bar on a terminal, else a line every two seconds. `totalBytes` is 0 when it is not known. */
export function startProgress(
  output: NodeJS.WriteStream,
  totalBytes: number,
  clock: Clock,
): Progress {
  return output.isTTY && totalBytes > 0
    ? barProgress(output, totalBytes)
    : lineProgress(output, totalBytes, clock);
}

function barProgress(output: NodeJS.WriteStream, totalBytes: number): Progress {
  const bar = new SingleBar(
    {
      stream: output,
      format: "{bar} {percentage}% | {events} events | {duration_formatted}",
      hideCursor: true,
      barsize: 30,
    },
    Presets.rect,
  );
  bar.start(totalBytes, 0, { events: "0" });
  return {
    update: (bytes, events) => bar.update(bytes, { events: count.format(events) }),
    note: (line) => {
      output.write(`\r\u001b[K${line}\n`);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}

function lineProgress(output: NodeJS.WriteStream, totalBytes: number, clock: Clock): Progress {
  let lastMs = clock.monotonicMs();
  return {
    update: (bytes, events) => {
      const nowMs = clock.monotonicMs();
      if (nowMs - lastMs < LINE_EVERY_MS) return;
      lastMs = nowMs;
      const share = totalBytes > 0 ? `${Math.floor((bytes / totalBytes) * 100)}%, ` : "";
      output.write(`${share}${count.format(events)} events\n`);
    },
    note: (line) => {
      output.write(`${line}\n`);
    },
    stop: () => {},
  };
}
