// Streams with published answers through the built server: rules over HTTP, events in any order and any batches, twice,
// with a kill in between. What the rules make of them step by step is in test/stream/data-sets.test.ts.

import { describe, expect, test } from "vitest";
import { get, post, postBatch } from "../support/api.ts";
import { absent, reason } from "../support/conformance.ts";
import { mulberry32 } from "../support/random.ts";
import { dataFolder, startServer, type TestServer, until } from "../support/server.ts";
import {
  batched,
  closing,
  type DataEvent,
  dataLine,
  dataSets,
  type Question,
  sentTwice,
  shuffled,
} from "../support/stream-data-sets.ts";

interface ShownWindow {
  readonly start: string;
  readonly group: Readonly<Record<string, unknown>>;
  readonly values: Readonly<Record<string, unknown>>;
  readonly count: number;
  readonly too_late: number;
  readonly final: boolean;
}

async function windowsOf(url: string, name: string): Promise<readonly ShownWindow[]> {
  const search = `rule=${name}&limit=100000`;
  const answer = await get<{ windows: ShownWindow[] }>(
    url,
    `/api/v1/analytics/aggregations?${search}`,
  );
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body.windows;
}

async function send(url: string, batches: readonly (readonly DataEvent[])[]): Promise<void> {
  for (const batch of batches) {
    const receipt = await postBatch(url, batch);
    expect(receipt.status, receipt.text).toBe(200);
    expect(receipt.body.rejected).toBe(0);
  }
}

async function make(url: string, questions: readonly Question[]): Promise<void> {
  for (const { definition } of questions) {
    const answer = await post(url, "/api/v1/aggregations", JSON.stringify(definition));
    expect(answer.status, answer.text).toBe(201);
  }
}

async function check(url: string, questions: readonly Question[]): Promise<void> {
  for (const { name, definition, want } of questions) {
    const windows = await until(`final windows of ${name}`, async () => {
      const all = await windowsOf(url, String(definition.name));
      return all.length > 0 && all.every((one) => one.final) && all;
    });
    const lines = windows.map(({ start, group, values }) =>
      dataLine(start, Object.values(group), Object.values(values)),
    );
    expect(lines.sort(), name).toEqual([...want].sort());
    expect(
      windows.filter((one) => one.too_late > 0),
      name,
    ).toEqual([]);
  }
}

describe.skipIf(absent)(`published streams through the server${reason}`, () => {
  for (const [name, makeSet] of Object.entries(dataSets)) {
    test(`${name}, shuffled, in other batches, each twice`, async () => {
      const set = makeSet();
      const random = mulberry32(11);
      const { url } = await startServer(dataFolder());
      await make(url, set.questions);
      await send(url, sentTwice(batched(shuffled(random, set), 2000, random)));
      await send(url, [closing(set)]);
      await check(url, set.questions);
    });

    if (name === "impulse" || name === "wikiticker") continue;
    test(`${name}, with a kill in between, then all of it again`, async () => {
      const set = makeSet();
      const data = dataFolder();
      const batches = batched(set.events, 500);
      let server: TestServer = await startServer(data);
      await make(server.url, set.questions);
      await send(server.url, batches.slice(0, Math.ceil(batches.length / 2)));
      await server.kill();
      server = await startServer(data);
      await send(server.url, [...batches, closing(set)]);
      await server.kill();
      server = await startServer(data);
      await check(server.url, set.questions);
    });
  }
});
