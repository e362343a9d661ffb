import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storageSchema } from "../../src/http/storage.ts";
import { type FrontServer, startFront } from "../support/front-server.ts";

describe("GET /api/v1/storage", () => {
  let front: FrontServer;
  beforeAll(async () => {
    front = await startFront();
  });
  afterAll(() => front.stop(1000));

  const ask = async (search = "") => {
    const response = await fetch(`${front.url}/api/v1/storage${search}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("says what is stored, by column and by segment, as its schema has it", async () => {
    const { status, body } = await ask();
    expect(status).toBe(200);
    expect(storageSchema.strict().parse(body)).toEqual(body);
    expect(body).toMatchObject({
      sealed_events: 34,
      bytes_per_event: 21.588,
      file_bytes: 2000,
      table_bytes: { journal: 500, columns: 700, segments: 34 },
      compaction: { compactions: 2, segments: 9, read_bytes: 5000, written_bytes: 4000 },
      segment_count: 2,
    });
    expect(body.columns).toEqual([
      {
        path: "id",
        lane: "id",
        segments: 2,
        rows: 40,
        bytes: 400,
        filter_bytes: 0,
        bytes_per_event: 11.765,
        dictionary_entries_max: 0,
        encodings: { "id-bits": 2 },
      },
      {
        path: "user_id",
        lane: "string",
        segments: 2,
        rows: 29,
        bytes: 294,
        filter_bytes: 40,
        bytes_per_event: 9.824,
        dictionary_entries_max: 14,
        encodings: { "text-sorted": 1, "text-plain": 1 },
      },
    ]);
    expect(body.segments).toMatchObject([
      {
        id: 1,
        first_sequence: "1",
        last_sequence: "20",
        from: "2026-11-23T12:00:00.000Z",
        to: "2026-11-23T12:01:00.500Z",
        received_to: "2026-11-23T12:01:01.000Z",
        records: 2,
        duplicates: 1,
        rejected: 3,
      },
      { id: 2, first_sequence: "21", last_sequence: "34", received_from: null },
    ]);
  });

  it("lists the newest segments that it is asked for", async () => {
    expect((await ask("?segments=1")).body.segments).toMatchObject([{ id: 2 }]);
    const none = (await ask("?segments=0")).body;
    expect([none.segments, none.segment_count]).toEqual([[], 2]);
  });

  it.each(["?segments=-1", "?segments=x", "?segment=1", "?segments=1&segments=2"])(
    "refuses %s by name",
    async (search) => {
      const { status, body } = await ask(search);
      expect([status, body.code]).toEqual([400, "invalid_parameter"]);
      expect(body.detail).toContain("segment");
    },
  );
});
