import { expect, it } from "vitest";
import { packFailure } from "../../src/engine/failure.ts";
import { InputError } from "../../src/errors.ts";
import type {
  FromStream,
  StreamAnswer,
  StreamRequest,
  ToStream,
} from "../../src/stream/messages.ts";
import type { RuleRecord } from "../../src/stream/rule-record.ts";
import { StreamClient } from "../../src/stream/stream-client.ts";
import type { WatchUpdate } from "../../src/stream/streams.ts";
import type { WindowRow } from "../../src/stream/window-row.ts";

function record(number: number, state: RuleRecord["state"] = "live"): RuleRecord {
  return { rule: { number, name: `rule${number}` }, state } as RuleRecord;
}

const row = (changedAt: bigint) => ({ startUs: 0n, changedAt }) as WindowRow;

/** The stream thread's end: keeps requests until the test answers them. */
class Port {
  readonly requests: { id: number; request: StreamRequest }[] = [];
  readonly client = new StreamClient((message: ToStream) => {
    if (message.type === "request") this.requests.push(message);
  });

  say(message: FromStream): void {
    this.client.take(message);
  }

  /** Answers the oldest request of a type. */
  answer(answer: StreamAnswer): void {
    const index = this.requests.findIndex(({ request }) => request.type === answer.type);
    const [one] = this.requests.splice(index, 1);
    if (one === undefined) throw new Error(`nobody has asked for ${answer.type}`);
    this.say({ type: "answer", id: one.id, answer });
  }

  fail(error: Error): void {
    const one = this.requests.shift();
    this.say({ type: "failed", id: one?.id ?? 0, failure: packFailure(error) });
  }

  types(): string[] {
    return this.requests.map(({ request }) => request.type);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("a rule and the one that takes its place change in one step", async () => {
  const { port, client } = bed();
  port.say({ type: "ready", rules: [record(1)], asOf: 1n, nextNumber: 2 });
  const states: string[][] = [];
  client.onRules(() => states.push(client.rules().map(({ state }) => state)));
  const change = client.change([record(1, "replaced"), record(2)], []);
  const told = { ...record(1, "replaced"), complete: true };
  port.say({ type: "rule", record: told });
  expect(states).toEqual([]);
  port.answer({ type: "rules" });
  await change;
  expect(states).toEqual([["replaced", "live"]]);
  expect(client.rules()[0]).toEqual(told);
  const refused = client.change([record(2, "replaced"), record(3)], []);
  port.say({ type: "rule", record: { ...record(2), complete: true } });
  port.fail(new InputError("no", "not now"));
  await expect(refused).rejects.toThrow("not now");
  expect(client.rules()[1], "what was said meanwhile holds").toMatchObject({ complete: true });
});

it("rules are what the thread has said and what was changed since, without passing ones", async () => {
  const { port, client } = bed();
  let told = 0;
  client.onRules(() => told++);
  expect(client.rules()).toEqual([]);
  port.say({ type: "ready", rules: [record(4), record(2)], asOf: 1n, nextNumber: 9 });
  expect([told, client.rules().map(({ rule }) => rule.number)]).toEqual([1, [2, 4]]);
  expect([client.takeNumber(), client.takeNumber()], "4 was not the last that was given").toEqual([
    9, 10,
  ]);
  const changed = client.change([record(9), record(10, "passing")], [2]);
  expect(client.rules(), "nothing is on disk yet").toHaveLength(2);
  port.answer({ type: "rules" });
  await changed;
  expect([told, client.rules().map(({ rule }) => rule.number)]).toEqual([2, [4, 9]]);
  const paused = { ...record(4), paused: true };
  port.say({ type: "rule", record: paused });
  expect([told, client.rules()[0]]).toEqual([3, paused]);
  port.say({ type: "rule", record: record(2) });
  expect([told, client.rules().length], "what is gone stays gone").toEqual([3, 2]);
  const refused = client.change([record(11)], []);
  port.fail(new InputError("rule_invalid", "no such field"));
  await expect(refused).rejects.toThrow(InputError);
  const passing = client.change([record(12, "passing")], []);
  port.answer({ type: "rules" });
  await passing;
  expect([told, client.rules().length], "nothing that is listed has changed").toEqual([3, 2]);
  expect(client.takeNumber()).toBe(13);
});

function bed(): { port: Port; client: StreamClient } {
  const port = new Port();
  return { port, client: port.client };
}

it("answers go to who has asked, in any order", async () => {
  const { port, client } = bed();
  const request = {
    rule: 1,
    fromUs: null,
    toUs: null,
    groups: [],
    tier: 0,
    widthUs: null,
  } as const;
  const windows = client.windows({ ...request, descending: false, limit: 1 });
  const rollup = client.rollup({ query: {} as never, rule: 1 });
  const recompute = client.recompute(1, 0n, 5n);
  port.answer({ type: "recompute", windows: 3, folded: 2, kept: 1 });
  port.answer({ type: "rollup", result: null, part: null, why: "a window is missing" });
  const answer = { rows: [], more: true, asOf: 7n, executionUs: 5 };
  port.answer({ type: "windows", answer });
  expect(await windows).toEqual(answer);
  expect(await rollup).toEqual({ result: null, part: null, why: "a window is missing" });
  expect(await recompute).toEqual({ windows: 3, folded: 2, kept: 1 });
  port.say({ type: "answer", id: 99, answer: { type: "unwatch" } });
});

it("who watches has a snapshot of its own and all updates after it, none before it", async () => {
  const { port, client } = bed();
  const seen: [string, bigint[]][] = [];
  const listener = (name: string) => (update: WatchUpdate) =>
    seen.push([name, update.rows.map(({ changedAt }) => changedAt)]);
  const update = (changedAt: bigint) =>
    port.say({ type: "updates", rule: 1, rows: [row(changedAt)], asOf: changedAt });
  const first = client.watch({ rule: 1, since: null }, listener("first"));
  update(1n);
  port.answer({ type: "watch", rows: [row(2n)], asOf: 3n, lost: null });
  // In the same turn as the answer: kept until who asked has the snapshot.
  update(4n);
  expect(seen).toEqual([]);
  const one = await first;
  expect(one.snapshot).toEqual({ rows: [row(2n)], asOf: 3n });
  await turn();
  update(5n);
  expect(seen.splice(0)).toEqual([
    ["first", [4n]],
    ["first", [5n]],
  ]);
  const second = client.watch({ rule: 1, since: 2n }, listener("second"));
  update(6n);
  port.answer({ type: "watch", rows: [], asOf: 7n, lost: null });
  const two = await second;
  await turn();
  update(8n);
  port.say({ type: "updates", rule: 2, rows: [row(9n)], asOf: 9n });
  expect(seen.splice(0)).toEqual([
    ["first", [6n]],
    ["first", [8n]],
    ["second", [8n]],
  ]);
  one.close();
  one.close();
  update(10n);
  expect(seen.splice(0)).toEqual([["second", [10n]]]);
  expect(port.types(), "somebody watches still").toEqual([]);
  two.close();
  update(11n);
  expect([seen, port.types()]).toEqual([[], ["unwatch"]]);
});

it("the last one leaves while another comes: the thread goes on sending", async () => {
  const { port, client } = bed();
  const seen: bigint[] = [];
  const first = client.watch({ rule: 1, since: null }, () => {});
  port.answer({ type: "watch", rows: [], asOf: 1n, lost: null });
  const one = await first;
  const second = client.watch({ rule: 1, since: null }, ({ asOf }) => seen.push(asOf));
  one.close();
  expect(port.types()).toEqual(["watch"]);
  port.answer({ type: "watch", rows: [], asOf: 2n, lost: null });
  const two = await second;
  await turn();
  port.say({ type: "updates", rule: 1, rows: [], asOf: 3n });
  expect(seen).toEqual([3n]);
  // A listener that closes its watch hears nothing more, not even what was kept for it.
  const third = client.watch({ rule: 1, since: null }, () => {
    seen.push(99n);
    void third.then((watch) => watch.close());
  });
  port.answer({ type: "watch", rows: [], asOf: 4n, lost: null });
  (await third).close();
  port.say({ type: "updates", rule: 1, rows: [], asOf: 5n });
  await turn();
  expect(seen).toEqual([3n, 5n]);
  two.close();
  expect(port.types()).toEqual(["unwatch"]);
  const refused = client.watch({ rule: 1, since: null }, () => {});
  port.answer({ type: "unwatch" });
  port.fail(new InputError("unknown_rule", "rule 1 is gone"));
  await expect(refused).rejects.toThrow("rule 1 is gone");
});

it("the figures are the newest; after the end nothing is waited for", async () => {
  const { port, client } = bed();
  expect(client.stats()).toBeNull();
  port.say({ type: "stats", stats: { next: "5" } as never });
  expect(client.stats()).toEqual({ next: "5" });
  const waiting = client.recompute(1, 0n, 5n);
  const watching = client.watch({ rule: 1, since: null }, () => {});
  client.end();
  for (const one of [waiting, watching, client.change([], [])]) {
    await expect(one).rejects.toMatchObject({ code: "not_ready", status: 503 });
  }
});
