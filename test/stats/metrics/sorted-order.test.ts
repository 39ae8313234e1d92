/** The radix sort behind ranking metrics against a sort by comparison. */
import { expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.ts";
import { sortedOrder } from "../../../src/stats/metrics/metric.ts";

const random = createRandom(4);
const any = () => (random.nextFloat() - 0.5) * 10 ** (random.nextInt(40) - 20);
const EXTREMES = [0, -0, Infinity, -Infinity, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE];

it.each([
  ["scores in [0, 1)", () => random.nextFloat()],
  ["numbers of all sizes and both signs", any],
  ["few different ones, so that ties are frequent", () => random.nextInt(5) - 2],
  [
    "zeros of both signs, infinities, and the ends of the range",
    () => EXTREMES[random.nextInt(EXTREMES.length)] as number,
  ],
  ["one number only", () => 0.25],
])("orders %s as a comparison does, ties by their index", (_, draw) => {
  for (const count of [0, 1, 255, 256, 5000]) {
    const values = Float64Array.from({ length: count }, draw);
    const byComparison = [...values.keys()].sort((a, b) => {
      const [left, right] = [values[a] as number, values[b] as number];
      return left < right ? -1 : left > right ? 1 : a - b;
    });
    expect([...sortedOrder(values)]).toEqual(byComparison);
  }
});
