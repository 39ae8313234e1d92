// Profiles: how fast values are counted, and how long a report takes from profiles alone.
import { createRandom } from "../../src/core/index.ts";
import { buildReferenceProfile, countFrame, type Frame, layoutOf, profileFrame } from "../../src/data/index.ts";
import { compareProfiles } from "../../src/monitor/index.ts";
import { type BenchResult, measure } from "../harness.ts";

const ROWS = 50_000;
const TEXTS = Array.from({ length: 300 }, (_, i) => `text ${i}`);

/** Fourteen numbers (one skewed, one of few values), three texts, three booleans. */
function frameOf(rows: number, seed: number): Frame {
  const random = createRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.nextFloat())) * Math.cos(2 * Math.PI * random.nextFloat());
  const number = (i: number) => {
    if (i === 12) return Math.floor(random.nextFloat() * 12);
    return i === 13 ? Math.exp(6 * random.nextFloat()) : random.nextFloat() < 0.02 ? Number.NaN : normal();
  };
  const places = (length: number) => Array.from({ length }, (_, i) => i);
  return {
    rows,
    columns: [
      ...places(14).map((i) => ({
        kind: "number" as const,
        name: `x${i}`,
        values: Float32Array.from({ length: rows }, () => number(i)),
      })),
      ...places(3).map((i) => ({
        kind: "category" as const,
        name: `c${i}`,
        dictionary: TEXTS,
        codes: Int32Array.from({ length: rows }, () => Math.floor(random.nextFloat() * random.nextFloat() * 300)),
      })),
      ...places(3).map((i) => ({
        kind: "boolean" as const,
        name: `b${i}`,
        values: Uint8Array.from({ length: rows }, () => (random.nextFloat() < 0.3 ? 1 : 0)),
      })),
    ],
  };
}

export async function profiles(): Promise<BenchResult> {
  const rows = Uint32Array.from({ length: ROWS }, (_, i) => i);
  const before = frameOf(ROWS, 1);
  const now = frameOf(ROWS, 2);
  const reference = buildReferenceProfile(before, rows);
  const current = profileFrame(reference, now, rows);
  const layout = layoutOf(reference.grid);
  const measurements = await measure(
    [
      {
        name: "count a feature value",
        items: ROWS * before.columns.length,
        run: () => countFrame(layout, reference.rare, now),
      },
      { name: "report of 20 features from profiles", run: () => compareProfiles(reference, current) },
    ],
    { rounds: 25, warmups: 5 },
  );
  const cpu = (name: string) => measurements.find((one) => one.name === name)?.cpuNs ?? Number.NaN;
  const report = measurements.find((one) => one.name.startsWith("report"))?.wallNs ?? Number.NaN;
  return {
    measurements,
    figures: [
      {
        name: "feature values counted a second and core",
        value: 1e9 / cpu("count a feature value"),
        unit: "1/s",
        atLeast: 5e6,
      },
      { name: "report of 20 features from profiles", value: report / 1e6, unit: "ms", atMost: 5 },
    ],
  };
}
