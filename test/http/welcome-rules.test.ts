import { createContext, Script } from "node:vm";
import { expect, test } from "vitest";
import { welcomePage } from "../../src/http/welcome.ts";
import { pageScript, rulesSection } from "../../src/http/welcome-rules.ts";
import { FakeElement } from "../support/fake-element.ts";
import { startFront } from "../support/front-server.ts";

// The rules on the page at `/`.

/** A stream of Server-Sent Events that the test sends. */
class FakeSource {
  static readonly all: FakeSource[] = [];
  readonly address: string;
  readonly listeners: Record<string, (event: object) => void> = {};
  closed = false;

  constructor(address: string) {
    this.address = address;
    FakeSource.all.push(this);
  }

  addEventListener(name: string, listener: (event: object) => void): void {
    this.listeners[name] = listener;
  }

  send(name: string, data: object): void {
    this.listeners[name]?.({ data: JSON.stringify(data) });
  }

  close(): void {
    this.closed = true;
  }
}

function page(...names: string[]): FakeElement[] {
  const elements = new Map<string, FakeElement>();
  const rules = names.map((name) => {
    const rule = new FakeElement("details");
    rule.dataset = { rule: name };
    return rule;
  });
  const document = {
    getElementById: (id: string) => {
      const found = elements.get(id) ?? new FakeElement(id);
      elements.set(id, found);
      return found;
    },
    createElement: (name: string) => new FakeElement(name),
    querySelectorAll: () => rules,
  };
  const context = createContext({ document, EventSource: FakeSource });
  new Script(pageScript).runInContext(context);
  return rules;
}

const at = (minute: number, source: string, n: number, state = "early") => ({
  start: `2026-11-23T12:0${minute}:00.000Z`,
  end: `2026-11-23T12:0${minute + 1}:00.000Z`,
  group: { source },
  values: { n },
  state,
  count: n,
  late: 0,
  too_late: 0,
});

test("the first rule is open; windows take the place of their earlier states, the newest on top", () => {
  const [rule] = page("a b", "c") as [FakeElement];
  expect(rule.open).toBe(true);
  rule.listeners.toggle?.({});
  const source = FakeSource.all.at(-1) as FakeSource;
  expect(source.address).toMatch(/&rule=a%20b$/);
  const [box] = rule.children as [FakeElement];
  source.send("metrics", { windows: [], snapshot: true });
  expect(box.children[0]?.textContent).toMatch(/no windows yet/);
  source.send("metrics", { windows: [at(0, "web", 1)], more: true });
  source.send("metrics", { windows: [at(1, "ios", 3)] });
  source.send("metrics", { windows: [{ ...at(0, "web", 2, "on_time"), too_late: 1 }] });
  expect(box.children[0]?.rows()).toEqual([
    ["from", "to", "state", "source", "n", "events", "late", "too late"],
    ["2026-11-23 12:01:00", "2026-11-23 12:02:00", "early", "ios", "3", "3", "0", "0"],
    ["2026-11-23 12:00:00", "2026-11-23 12:01:00", "on time", "web", "2", "2", "0", "1"],
  ]);
  const joined = { ...at(0, "ios", 4), replaces: ["2026-11-23T12:01:00.000Z"] };
  source.send("metrics", { windows: [joined] });
  expect(box.children[0]?.rows().map((row) => row.slice(3, 5))).toEqual([
    ["source", "n"],
    ["web", "2"],
    ["ios", "4"],
  ]);
  source.send("metrics", { windows: [at(2, "web", 9)], snapshot: true });
  expect(box.children[0]?.rows().slice(1)).toHaveLength(1);
  rule.open = false;
  rule.listeners.toggle?.({});
  expect([source.closed, rule.children.length]).toEqual([true, 0]);
});

test("a rule that is gone, and one that can't be watched, say so", () => {
  const [rule] = page("a") as [FakeElement];
  rule.listeners.toggle?.({});
  const source = FakeSource.all.at(-1) as FakeSource;
  const text = () => rule.children[0]?.children[0]?.textContent;
  source.listeners.error?.({});
  expect(text()).toBe("no answer; trying again");
  source.send("failed", { error: { detail: "too many" } });
  expect([text(), source.closed]).toEqual(["too many", true]);
  source.send("ended", {});
  expect(text()).toBe("the rule is gone");
});

test("the page lists rules where there are any", async () => {
  const front = await startFront();
  const { ruleBook } = front.front;
  expect(rulesSection(ruleBook)).toBe("");
  for (let i = 0; i < 52; i++) {
    await ruleBook.create({
      name: `rule_${i}`,
      paused: i === 0,
      aggregation_type: { fn: "count" },
      time_window: "5m",
    });
  }
  const html = welcomePage(front.front, front.url);
  expect(html).toContain('<details name="rule" data-rule="rule_0"><summary>rule_0');
  expect(html).toContain("<small>version 1, tumbling 5m, paused</small>");
  expect(html).toContain("<p>and 2 more: ");
  await front.stop(1000);
});
