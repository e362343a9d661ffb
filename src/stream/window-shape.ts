// Tumbling and hopping windows as panes: spans of time that follow each other, of which each window is a whole number.
// A tumbling window is one pane; a hopping one has as many as its size has slides. All in µs of event time.

import { assert } from "../base/assert.ts";
import { type BucketSpan, Buckets } from "../query/expression/bucket.ts";
import type { Interval } from "../query/expression/expression.ts";
import type { WindowShape } from "./rule.ts";

export type PanedShape = Extract<WindowShape, { kind: "tumbling" | "hopping" }>;

export class WindowPanes {
  /** Panes of a window, and windows of a pane. */
  readonly perWindow: number;
  readonly #buckets: Buckets;
  /** Of a pane where all are as long; null: the calendar says how long each is. */
  readonly #widthUs: bigint | null;

  constructor(shape: PanedShape) {
    const slide = shape.kind === "tumbling" ? shape.size : shape.slide;
    this.perWindow = shape.kind === "tumbling" ? 1 : slidesOf(shape.size, slide);
    this.#buckets = new Buckets({ width: slide, originUs: shape.originUs, zone: shape.zone });
    this.#widthUs = this.#buckets.fixed?.widthUs ?? null;
  }

  /** The pane that holds a timestamp. */
  paneOf(us: bigint): BucketSpan {
    return this.#buckets.span(us);
  }

  /** Where the pane begins that is `count` after the one that begins at `startUs`; before it when negative. */
  step(startUs: bigint, count: number): bigint {
    if (this.#widthUs !== null) return startUs + BigInt(count) * this.#widthUs;
    let at = startUs;
    for (let n = count; n > 0; n--) at = this.#buckets.span(at).endUs;
    for (let n = count; n < 0; n++) at = this.#buckets.span(at - 1n).startUs;
    return at;
  }

  /** The window that begins with the pane at `startUs`. */
  windowAt(startUs: bigint): BucketSpan {
    return { startUs, endUs: this.step(startUs, this.perWindow) };
  }

  /** Windows that hold the pane at `startUs`, by start. */
  windowsOf(startUs: bigint): BucketSpan[] {
    const panes: bigint[] = [];
    let at = this.step(startUs, 1 - this.perWindow);
    for (let n = 0; n < 2 * this.perWindow; n++) {
      panes.push(at);
      at = this.step(at, 1);
    }
    return Array.from({ length: this.perWindow }, (_, i) => ({
      startUs: panes[i] as bigint,
      endUs: panes[i + this.perWindow] as bigint,
    }));
  }

  /** Where the panes of a window begin. */
  panesOf(startUs: bigint): bigint[] {
    const panes = [startUs];
    while (panes.length < this.perWindow) panes.push(this.step(panes.at(-1) as bigint, 1));
    return panes;
  }
}

/** How many slides a size has: both are in µs (with days of 24 hours), both in days, or both in months. */
function slidesOf(size: Interval, slide: Interval): number {
  const [whole, part] =
    slide.us !== 0n
      ? [usOf(size), usOf(slide)]
      : slide.months !== 0
        ? [BigInt(size.months), BigInt(slide.months)]
        : [BigInt(size.days), BigInt(slide.days)];
  assert(part > 0n && whole > 0n && whole % part === 0n, "the size is a multiple of the slide");
  return Number(whole / part);
}

function usOf({ days, us }: Interval): bigint {
  return BigInt(days) * 86_400_000_000n + us;
}

/** Equal for shapes of the same panes. */
export function shapeKey(shape: PanedShape): string {
  const { months, days, us } = shape.kind === "tumbling" ? shape.size : shape.slide;
  return `${months} ${days} ${us} ${shape.originUs} ${shape.zone}`;
}

export function overlaps(
  { startUs, endUs }: BucketSpan,
  { fromUs, toUs }: { readonly fromUs: bigint | null; readonly toUs: bigint | null },
): boolean {
  return (fromUs === null || endUs > fromUs) && (toUs === null || startUs < toUs);
}
