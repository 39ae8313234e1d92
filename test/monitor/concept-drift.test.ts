import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.ts";
import { type DetectorWatch, lastAlarm, watchLosses, watchSettings } from "../../src/monitor/index.ts";

const settings = watchSettings({ detector: "adwin", metric: "accuracy" }, 1, undefined);
const random = createRandom(4);
const losses = (count: number, share: number, at: number) =>
  Array.from({ length: count }, (_, i) => ({ loss: random.nextFloat() < share ? 1 : 0, at: at + i }));
const feed = (watch: DetectorWatch | undefined, count: number, share: number) =>
  watchLosses(watch, settings, 0, losses(count, share, watch?.seen ?? 0)) as DetectorWatch;

describe("an alarm of concept drift", () => {
  it("stands while the losses stay high, and is over once the detector has seen them fall again", () => {
    const calm = feed(undefined, 1_000, 0.1);
    expect(lastAlarm(calm)).toBeUndefined();
    const high = feed(calm, 600, 0.6);
    expect(lastAlarm(high)).toMatchObject({ direction: "up" });
    expect(lastAlarm(feed(high, 2_000, 0.6))).toEqual(lastAlarm(high));
    const over = feed(high, 600, 0.1);
    expect(over.detections.at(-1)).toMatchObject({ direction: "down" });
    expect(lastAlarm(over)).toBeUndefined();
    // What rises again is an alarm of its own.
    const again = lastAlarm(feed(over, 600, 0.6));
    expect(again?.seen).toBeGreaterThan(over.seen);
  });

  it("is not taken back by a small fall", () => {
    const high = feed(feed(undefined, 1_000, 0.1), 800, 0.9);
    const lower = feed(high, 1_500, 0.65);
    expect(lower.detections.at(-1)).toMatchObject({ direction: "down" });
    expect(lastAlarm(lower)).toEqual(lastAlarm(high));
  });
});
