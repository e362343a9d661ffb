import { describe, expect, it } from "vitest";
import type { Interval } from "../../src/query/expression/expression.ts";
import { type PanedShape, WindowPanes } from "../../src/stream/window-shape.ts";
import { mulberry32 } from "../support/random.ts";

const hourUs = 3_600_000_000n;
const span = (months: number, days: number, us: bigint): Interval => ({ months, days, us });
const at = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;

function tumbling(size: Interval, zone = "UTC", originUs: bigint | null = null): PanedShape {
  return { kind: "tumbling", size, originUs, zone };
}

function hopping(
  size: Interval,
  slide: Interval,
  zone = "UTC",
  originUs: bigint | null = null,
): PanedShape {
  return { kind: "hopping", size, slide, originUs, zone };
}

const shapes: Readonly<Record<string, PanedShape>> = {
  minutes: tumbling(span(0, 0, 60_000_000n)),
  "ten seconds every two": hopping(span(0, 0, 10_000_000n), span(0, 0, 2_000_000n), "UTC", 17n),
  "days in Berlin": tumbling(span(0, 1, 0n), "Europe/Berlin"),
  "weeks every day in New York": hopping(span(0, 7, 0n), span(0, 1, 0n), "America/New_York"),
  months: tumbling(span(1, 0, 0n)),
  "quarters every month in Auckland": hopping(span(3, 0, 0n), span(1, 0, 0n), "Pacific/Auckland"),
};

describe("panes of windows", () => {
  it.each(Object.keys(shapes))(
    "%s: each time is in as many windows as a window has panes",
    (name) => {
      const panes = new WindowPanes(shapes[name] as PanedShape);
      const random = mulberry32(7);
      for (let n = 0; n < 300; n++) {
        const us = BigInt(Math.floor((random() * 2 - 0.7) * 2_000_000_000)) * 1_000_000n + 5n;
        const pane = panes.paneOf(us);
        expect(pane.startUs <= us && us < pane.endUs).toBe(true);
        const windows = panes.windowsOf(pane.startUs);
        expect(windows).toHaveLength(panes.perWindow);
        expect(windows[0]?.endUs).toBe(pane.endUs);
        expect(windows.at(-1)?.startUs).toBe(pane.startUs);
        for (const [i, window] of windows.entries()) {
          expect(window).toEqual(panes.windowAt(window.startUs));
          expect(window.startUs <= us && us < window.endUs).toBe(true);
          const inside = panes.panesOf(window.startUs);
          expect(inside.indexOf(pane.startUs)).toBe(panes.perWindow - 1 - i);
          expect(panes.step(inside.at(-1) as bigint, 1)).toBe(window.endUs);
        }
        expect(panes.step(panes.step(pane.startUs, 5), -5)).toBe(pane.startUs);
      }
    },
  );

  it("has days of 23 and 25 hours where clocks change", () => {
    const panes = new WindowPanes(shapes["days in Berlin"] as PanedShape);
    const hours = (text: string): bigint => {
      const { startUs, endUs } = panes.windowAt(panes.paneOf(at(text)).startUs);
      return (endUs - startUs) / hourUs;
    };
    expect(hours("2026-03-29T10:00:00Z")).toBe(23n);
    expect(hours("2026-10-25T10:00:00Z")).toBe(25n);
    expect(hours("2026-10-26T10:00:00Z")).toBe(24n);
    const week = new WindowPanes(hopping(span(0, 7, 0n), span(0, 1, 0n), "Europe/Berlin"));
    const { startUs, endUs } = week.windowAt(at("2026-03-24T23:00:00Z"));
    expect(endUs - startUs).toBe(7n * 24n * hourUs - hourUs);
  });

  it("counts from the origin, before it as well", () => {
    const panes = new WindowPanes(tumbling(span(0, 0, 10n), "UTC", 3n));
    expect(panes.paneOf(-8n)).toEqual({ startUs: -17n, endUs: -7n });
    expect(panes.paneOf(-7n)).toEqual({ startUs: -7n, endUs: 3n });
    expect(panes.paneOf(3n)).toEqual({ startUs: 3n, endUs: 13n });
  });

  it("has months as long as they are", () => {
    const panes = new WindowPanes(shapes["quarters every month in Auckland"] as PanedShape);
    const { startUs } = panes.paneOf(at("2028-02-10T00:00:00Z"));
    expect(startUs).toBe(at("2028-01-31T11:00:00Z"));
    expect(panes.windowAt(startUs).endUs).toBe(at("2028-04-30T12:00:00Z"));
  });

  it("takes a size of days and a slide of less as fixed lengths", () => {
    expect(new WindowPanes(hopping(span(0, 1, 0n), span(0, 0, hourUs))).perWindow).toBe(24);
    expect(() => new WindowPanes(hopping(span(0, 0, 10n), span(0, 0, 3n)))).toThrow(/multiple/);
  });
});
