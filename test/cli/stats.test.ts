import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { runStats } from "../../src/cli/stats.ts";
import { parseStatsOptions } from "../../src/cli/stats-options.ts";
import { type Storage, storageText } from "../../src/cli/stats-tables.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

describe("millrace stats", () => {
  let front: FrontServer;
  const out: string[] = [];
  const errors: string[] = [];
  beforeAll(async () => {
    front = await startFront();
    vi.spyOn(console, "log").mockImplementation((text: string) => void out.push(text));
    vi.spyOn(console, "error").mockImplementation((text: string) => void errors.push(text));
  });
  afterEach(() => {
    out.length = 0;
    errors.length = 0;
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await front.stop(1000);
  });

  it("prints totals, columns and segments", async () => {
    expect(await runStats(["--url", front.url])).toBe(0);
    const [text = ""] = out;
    expect(text).toMatch(/^sealed +34 in 2 segments, 21\.59 bytes an event$/m);
    expect(text).toMatch(/^on disk +\d+ B in use of a file of 2\.0 KiB$/m);
    expect(text).toMatch(
      /^merged +9 segments into 2 since the start: 1,000 rows, 4\.9 KiB became/m,
    );
    expect(text).toMatch(
      /^ user_id │ string │ +9\.824 │ +45\.5 % │ +294 B │ +40 B │ +29 │ +14 │ text-sorted ×1,/m,
    );
    expect(text).toMatch(/^ +2 │ +14 │ +314 B │ +22\.43 │ 21–34 +│ 2026-11-23T12:00:00Z │/m);
  });

  it("prints the answer as it is with --json, and as many segments as it is told", async () => {
    expect(await runStats(["--url", front.url, "--json", "--segments", "1"])).toBe(0);
    const answer = JSON.parse(out[0] ?? "") as Storage;
    expect(answer.segments.map(({ id }) => id)).toEqual([2]);
    expect(await runStats(["--url", front.url, "--segments", "1"])).toBe(0);
    expect(out[1]).toContain("… and 1 older ones; --segments N shows more");
  });

  it("fits a narrow terminal, and shows an empty store", () => {
    const empty: Storage = {
      next_sequence: "1",
      events: 0,
      sealed_events: 0,
      file_bytes: 24_576,
      live_bytes: 4096,
      table_bytes: {},
      journal_records: 0,
      bytes_per_event: null,
      compaction: {
        compactions: 0,
        segments: 0,
        rows: 0,
        read_bytes: 0,
        written_bytes: 0,
        failures: 0,
        running: [],
      },
      columns: [],
      segment_count: 0,
      segments: [],
    };
    expect(storageText(empty, 80).split("\n")).toEqual([
      "events   0, the next one gets sequence 1",
      "sealed   0 in 0 segments",
      "journal  0 events in 0 records, 0 B",
      "on disk  4.0 KiB in use of a file of 24.0 KiB",
      "merged   no segments since the start",
    ]);
    const column = {
      ...{ path: "properties.a_rather_long_path.that_nobody_would_want", lane: "string" },
      ...{ segments: 1, rows: 10, bytes: 100, filter_bytes: 0, bytes_per_event: 10 },
      ...{ dictionary_entries_max: 4, encodings: { "text-sorted": 1 } },
    };
    const text = storageText({ ...empty, bytes_per_event: 20, columns: [column] }, 100);
    for (const line of text.split("\n").slice(6)) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("tells what is wrong: flags, an address where nobody answers, a refusal", async () => {
    expect(await runStats(["--json", "now"])).toBe(2);
    expect(errors.at(-1)).toBe("millrace stats: got 'now', want flags only");
    expect(await runStats(["--segment", "1"])).toBe(2);
    expect(errors.at(-1)).toContain("--segments");
    expect(await runStats(["--url", "http://127.0.0.1:1"])).toBe(1);
    expect(errors.at(-1)).toContain("can't reach 127.0.0.1:1");
    expect(await runStats(["--help"])).toBe(0);
    expect(out.at(-1)).toContain("Usage: millrace stats");
    expect(parseStatsOptions(["--json"])?.segments).toBe(1_000_000);
  });
});
