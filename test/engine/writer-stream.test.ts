import { expect, it, onTestFinished } from "vitest";
import { reflectedOf } from "../../src/engine/retention.ts";
import type { SegmentMeta } from "../../src/storage/segment.ts";
import { temporaryFolder, WriterBed } from "../support/writer-bed.ts";

// What the writer does for the stream thread: checkpoints, ticks, duplicates, slots that are kept until they are read.

async function openBed(folder?: string): Promise<WriterBed> {
  if (folder !== undefined) return new WriterBed(folder).open();
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  return new WriterBed(path).open();
}

const idOf = (n: number): string => `018f2f6e-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

const event = (n: number) => ({
  id: idOf(n),
  event_type: "t",
  timestamp: 1_700_000_000_000 + n,
  properties: { n, text: `some text that is not like any other ${n * 7919}` },
});

const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => event(from + i));

const timeOf = (n: number): bigint => 1_700_000_000_000_000n + BigInt(n) * 1000n;

const write = (key: number, value: number) => ({
  table: "stream" as const,
  key: Uint8Array.of(key),
  value: Uint8Array.of(value),
});

const stored = (bed: WriterBed, key: number): number | undefined => {
  bed.store.renew();
  return bed.store.table("stream").get(Uint8Array.of(key))?.[0];
};

it("a checkpoint is committed on its own when nothing else is, and with what is on its way", async () => {
  const bed = await openBed();
  bed.say({ type: "commit", id: 1, reflected: 1n, writes: [write(1, 10), write(2, 20)] });
  await bed.until("the first answer", () => bed.ofType("committed").length === 1);
  expect([stored(bed, 1), stored(bed, 2)]).toEqual([10, 20]);
  bed.post(events(0, 100));
  bed.say({ type: "commit", id: 2, reflected: 1n, writes: [write(1, 11)] });
  bed.say({ type: "commit", id: 3, reflected: 1n, writes: [write(1, 12)] });
  await bed.until("the other answers", () => bed.ofType("committed").length === 3);
  expect(bed.ofType("committed").map(({ id }) => id)).toEqual([1, 2, 3]);
  expect(stored(bed, 1)).toBe(12);
  await bed.until("the receipt", () => bed.receipts.length === 1);
  await bed.close();
});

it("wakes an idle stream thread once, also for rows that came while it fell idle", async () => {
  const bed = await openBed();
  bed.position.advance(1n);
  bed.post(events(0, 10));
  await bed.until("the receipt", () => bed.receipts.length === 1);
  expect(bed.ofType("published"), "it never said that it is idle").toEqual([]);
  bed.say({ type: "idle" });
  await bed.until("what it has missed", () => bed.ofType("published").length === 1);
  bed.position.advance(11n);
  bed.say({ type: "idle" });
  bed.say({ type: "commit", id: 1, reflected: 11n, writes: [] });
  await bed.until("the answer", () => bed.ofType("committed").length === 1);
  expect(bed.ofType("published")).toHaveLength(1);
  for (let i = 1; i <= 3; i++) {
    bed.post(events(i * 10, 10));
    await bed.until("the receipt", () => bed.receipts.length === 1 + i);
  }
  expect(bed.ofType("published"), "one wakes it").toHaveLength(2);
  await bed.close();
});

it("a tick has the newest time, nothing is received before it, not even after a restart", async () => {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  const bed = await openBed(path);
  bed.clock.us = 5_000_000n;
  bed.post(events(0, 10));
  bed.writer.tick();
  await bed.until("a tick", () => bed.ofType("tick").length === 1);
  expect(bed.receipts, "what was there before it comes first").toHaveLength(1);
  expect(bed.ofType("tick")).toEqual([{ type: "tick", sequence: 11n, receivedAtUs: 5_000_000n }]);
  bed.clock.us = 9_000_000n;
  bed.writer.tick();
  await bed.until("a tick", () => bed.ofType("tick").length === 2);
  expect(bed.ofType("tick")[1]).toMatchObject({ sequence: 11n, receivedAtUs: 9_000_000n });
  // The machine's clock goes back: time does not.
  bed.clock.us = 2_000_000n;
  bed.writer.tick();
  await bed.until("a tick", () => bed.ofType("tick").length === 3);
  expect(bed.ofType("tick")[2]).toMatchObject({ receivedAtUs: 9_000_000n });
  bed.say({ type: "commit", id: 1, reflected: 11n, writes: [] });
  await bed.until("the answer", () => bed.ofType("committed").length === 1);
  await bed.close();

  const again = await openBed(path);
  expect(again.store.clockUs()).toBe(9_000_000n);
  again.writer.tick();
  await again.until("a tick", () => again.ofType("tick").length === 1);
  expect(again.ofType("tick")[0]).toEqual({
    type: "tick",
    sequence: 11n,
    receivedAtUs: 9_000_000n,
  });
  await again.close();
});

function duplicatesIn(bed: WriterBed): [sequence: bigint, index: number, times: bigint[]][] {
  bed.store.renew();
  const range = bed.store.table("duplicates").range(Uint8Array.of(0), Uint8Array.of(255));
  return [...range].map(({ key, value }) => {
    const [at, bytes] = [Buffer.from(key), Buffer.from(value)];
    const [receivedAtUs, ...times] = Array.from({ length: bytes.length / 8 }, (_, i) =>
      bytes.readBigInt64LE(i * 8),
    );
    expect(receivedAtUs).toBe(bed.clock.nowUs());
    return [at.readBigUInt64BE(), at.readUInt32BE(8), times];
  });
}

it("duplicates are kept under the record that left them out, told before its rows, and numbered", async () => {
  const { path, remove } = temporaryFolder();
  onTestFinished(remove);
  const bed = await openBed(path);
  const seen: bigint[] = [];
  bed.onTold = ({ type }) => type === "duplicates" && seen.push(bed.segments.nextSequence());
  const receipt = async (batch: object[]) => {
    const count = bed.receipts.length;
    bed.post(batch);
    await bed.until("the receipt", () => bed.receipts.length === count + 1);
    return bed.receipts[count];
  };
  await receipt(events(0, 10));
  expect(duplicatesIn(bed), "none").toEqual([]);
  // Rejected ones are not duplicates, whatever their id.
  const rejected = { ...event(3), event_type: 5 };
  const mixed = [event(20), rejected, event(4), event(21), rejected, event(9), event(20)];
  expect(await receipt(mixed)).toMatchObject({ accepted: 2, duplicates: 3, rejected: 2 });
  const first = [11n, 0, [4, 9, 20].map(timeOf)] as const;
  expect(duplicatesIn(bed)).toEqual([first]);
  // Records without rows: under the next sequence, each with an index of its own.
  await receipt([event(1)]);
  await receipt(events(5, 3));
  const onlyOnes = [
    [13n, 0, [timeOf(1)]],
    [13n, 1, [5, 6, 7].map(timeOf)],
  ];
  expect(duplicatesIn(bed)).toEqual([first, ...onlyOnes]);
  await bed.until("all messages", () => bed.ofType("duplicates").length === 3);
  const told = bed.ofType("duplicates");
  expect(told.map((one) => [one.sequence, one.index, [...one.timestampsUs]])).toEqual([
    first,
    ...onlyOnes,
  ]);
  await bed.close();

  // Ids are not loaded here: the first of two equal ones is new again.
  const again = await openBed(path);
  again.post([event(1), event(1)]);
  await again.until("the receipt", () => again.receipts.length === 1);
  again.post([event(1)]);
  await again.until("the receipt", () => again.receipts.length === 2);
  expect(duplicatesIn(again)).toEqual([
    first,
    ...onlyOnes,
    [13n, 2, [timeOf(1)]],
    [14n, 0, [timeOf(1)]],
  ]);
  await again.close();
});

it("bodies of one group: rows of each are told apart bit by bit", async () => {
  const bed = await openBed();
  bed.post(events(0, 64));
  // Odd lengths, so that bodies share bytes of the bitmaps; all wait in the ring and become one group.
  for (const [from, count] of [
    [60, 3],
    [62, 5],
    [10, 1],
    [100, 7],
    [101, 11],
  ] as const) {
    bed.post([...events(from, count), { event_type: 1 }]);
  }
  await bed.until("the receipts", () => bed.receipts.length === 6);
  const left = [60, 61, 62, 62, 63, 10, 101, 102, 103, 104, 105, 106];
  const times = () => bed.ofType("duplicates").flatMap(({ timestampsUs }) => [...timestampsUs]);
  await bed.until("all messages", () => times().length === left.length);
  expect(times()).toEqual(left.map(timeOf));
  await bed.close();
});

it("slots that the stream thread has not read are kept; checkpoints go on, and nothing is lost", async () => {
  const bed = await openBed();
  bed.position.advance(1n);
  let posted = 0;
  // More than three slots of 2 MiB hold.
  for (; posted < 60; posted++) bed.post(events(posted * 2000, 2000));
  let published = 0n;
  const stands = async () => {
    for (let turn = 0; turn < 200; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (bed.segments.nextSequence() !== published) turn = 0;
      published = bed.segments.nextSequence();
    }
  };
  await stands();
  expect(bed.receipts.length).toBeLessThan(posted);
  for (let id = 1; id <= 3; id++) {
    bed.say({ type: "commit", id, reflected: 1n, writes: [write(id, id)] });
    await bed.until("a checkpoint", () => bed.ofType("committed").length === id);
    expect(stored(bed, id)).toBe(id);
  }
  expect(bed.segments.nextSequence(), "no slot was given back").toBe(published);
  // Idle with rows unread, as a part of a batch is published before the rest has a slot.
  bed.say({ type: "idle" });
  await bed.until("the wake-up", () => bed.ofType("published").length === 1);
  const follow = setInterval(() => bed.position.advance(bed.segments.nextSequence()), 1);
  onTestFinished(() => clearInterval(follow));
  await bed.until("all receipts", () => bed.receipts.length === posted);
  expect(bed.segments.nextSequence()).toBe(BigInt(posted * 2000) + 1n);
  clearInterval(follow);
  await bed.close();
});

it("nobody follows: slots are given back as soon as they are stored", async () => {
  const bed = await openBed();
  for (let i = 0; i < 40; i++) bed.post(events(i * 2000, 2000));
  await bed.until("all receipts", () => bed.receipts.length === 40);
  await bed.close();
});

it("retention drops what a checkpoint reflects, and not what comes after it", () => {
  const metas = [1n, 11n, 21n].map((firstSequence) => ({ firstSequence, rows: 10 }) as SegmentMeta);
  expect([0n, 10n, 11n, 20n, 21n, 31n].map((next) => reflectedOf(metas, next).length)).toEqual([
    0, 0, 1, 1, 2, 3,
  ]);
});
