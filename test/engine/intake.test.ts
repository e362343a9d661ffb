import { describe, expect, it } from "vitest";
import * as layout from "../../src/core/layout.ts";
import { createMemory, region } from "../../src/core/memory.ts";
import { BodyMemory, type ReservedPlace } from "../../src/engine/body-memory.ts";
import { RingReader, RingWriter } from "../../src/engine/ring.ts";
import { mulberry32 } from "../support/random.ts";

const KIB = 1024;

function intake(bodies = 256 * KIB, ring = 64 * KIB) {
  const memory = createMemory({
    bodies,
    ring,
    decoder: 0,
    batches: 0,
    dedup: 0,
    slots: 0,
    readers: [],
  });
  return {
    memory,
    bodies: new BodyMemory(memory),
    writer: new RingWriter(memory),
    reader: new RingReader(memory),
  };
}

function bytesOf(seed: number, length: number): Uint8Array {
  const random = mulberry32(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

const plain = { format: "json-batch", durable: true, options: "" } as const;

describe("body memory", () => {
  it("gives places that do not overlap and takes all of them back (seed 3)", () => {
    const { memory, bodies } = intake();
    const { base, size } = region(memory, layout.REGION_BODIES);
    const random = mulberry32(3);
    const held: { place: ReservedPlace; size: number }[] = [];
    let refused = 0;
    for (let round = 0; round < 4000; round++) {
      if (random() < 0.5) {
        const length = 1 + Math.floor(random() * 40 * KIB);
        const place = bodies.reserve(length);
        if (place === null) refused++;
        else held.push({ place, size: length });
      } else {
        const [one] = held.splice(Math.floor(random() * held.length), 1);
        if (one && random() < 0.5) one.place.release();
        else if (one) {
          one.place.queued();
          one.place.release();
          one.place.answered();
          one.place.answered();
        }
      }
      const ordered = [...held].sort((a, b) => a.place.base - b.place.base);
      ordered.forEach((one, i) => {
        expect(one.place.base % 64).toBe(0);
        expect(one.place.base).toBeGreaterThanOrEqual(base);
        const end = ordered[i + 1]?.place.base ?? base + size - 64;
        expect(one.place.base + one.size).toBeLessThanOrEqual(end);
      });
    }
    expect(refused).toBeGreaterThan(0);
    for (const { place } of held) place.release();
    expect(bodies.used).toBe(0);
    expect(bodies.reserve(size - 128)).not.toBeNull();
  });

  it("a place takes its chunks in order and no byte more", () => {
    const { memory, bodies } = intake();
    const place = bodies.reserve(100) as ReservedPlace;
    const bytes = bytesOf(1, 100);
    place.write(bytes.subarray(0, 1));
    place.write(bytes.subarray(1, 64));
    place.write(bytes.subarray(64));
    expect(place.length).toBe(100);
    const stored = new Uint8Array(memory.buffer).slice(place.base, place.base + 100);
    expect(stored).toEqual(bytes);
    expect(() => place.write(bytes.subarray(0, 1))).toThrow(/as long as was announced/);
  });

  it("a region of no size has no places", () => {
    expect(intake(0).bodies.reserve(1)).toBeNull();
  });
});

describe("intake ring", () => {
  it("gives what was pushed, in order, and refuses what does not fit (seed 8)", () => {
    const { memory, bodies, writer, reader } = intake();
    const u8 = new Uint8Array(memory.buffer);
    const random = mulberry32(8);
    const queue: { requestId: number; bytes: Uint8Array; options: string }[] = [];
    let refused = 0;
    const places = new Map<number, ReservedPlace>();
    for (let requestId = 0; requestId < 5000; requestId++) {
      const bytes = bytesOf(requestId, Math.floor(random() * 4 * KIB));
      const options = random() < 0.2 ? JSON.stringify({ key: `k${requestId}é` }) : "";
      const place = random() < 0.3 ? bodies.reserve(bytes.length) : null;
      place?.write(bytes);
      const cut = Math.floor(bytes.length * random());
      const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)];
      const frame = { ...plain, options, requestId, length: bytes.length };
      const before = writer.used();
      if (writer.push(frame, place?.base ?? chunks)) {
        queue.push({ requestId, bytes, options });
        if (place) places.set(requestId, place);
      } else {
        place?.release();
        expect(writer.used()).toBe(before);
        refused++;
      }
      // Sometimes the reader lags, so that the ring fills and wraps.
      while (queue.length > 0 && (random() < 0.48 || requestId === 4999)) {
        const want = queue.shift() as (typeof queue)[number];
        const got = reader.peek();
        expect(got).toMatchObject({
          ...plain,
          requestId: want.requestId,
          length: want.bytes.length,
          options: want.options,
        });
        const at = got?.body ?? 0;
        expect(Buffer.compare(u8.slice(at, at + want.bytes.length), want.bytes)).toBe(0);
        reader.release();
        places.get(want.requestId)?.answered();
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(reader.peek()).toBeNull();
    expect(writer.used()).toBe(0);
  });

  it("wakes an engine that sleeps at once, and one that awaits a flush for what is worth it", () => {
    const { writer, reader } = intake();
    const push = (length: number) => {
      expect(writer.push({ ...plain, requestId: 1, length }, [new Uint8Array(length)])).toBe(true);
      return writer.takeAsleep(length);
    };
    expect(push(10), "awake from the start").toBe(false);
    expect(reader.fallAsleep(false), "something is queued").toBe(false);
    reader.release();
    expect(reader.fallAsleep(false)).toBe(true);
    expect(push(10)).toBe(true);
    expect(push(10), "woken once").toBe(false);
    reader.release();
    reader.release();
    expect(reader.fallAsleep(true)).toBe(true);
    expect(push(10)).toBe(false);
    expect(push(8 * KIB)).toBe(false);
    expect(push(8 * KIB), "enough has gathered").toBe(true);
    for (let i = 0; i < 3; i++) reader.release();
    expect(reader.fallAsleep(true)).toBe(true);
    expect(push(20 * KIB), "one large body").toBe(true);
  });
});
