/** Seeded panels: weekly and yearly seasons, drifting levels, promotions known ahead, and noise. */
import { createRandom } from "../../../src/core/index.ts";
import type { Panel, PanelSeries } from "../../../src/learn/index.ts";
import { expDeterministic } from "../../../src/stats/index.ts";

const FIRST_DAY = 18_262; // 2020-01-01

/** Sums of 12 uniforms: near enough to a normal of deviation 1. */
export function normalOf(random: ReturnType<typeof createRandom>): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random.nextFloat();
  return sum;
}

export function dailyPanel(count: number, days: number, seed: number, horizon = 14): Panel {
  const series: PanelSeries[] = [];
  for (let s = 0; s < count; s++) {
    const random = createRandom(seed * 1000 + s);
    const base = 20 + 180 * random.nextFloat();
    const week = Array.from({ length: 7 }, (_, d) => 0.25 * normalOf(random) + (d >= 5 ? 0.3 : 0));
    const yearly = 0.3 * random.nextFloat();
    const phase = 40 * random.nextFloat();
    const growth = 0.0006 * normalOf(random);
    const lift = 0.3 + 0.4 * random.nextFloat();
    const values = new Float64Array(days);
    const covariates = new Float32Array(days + horizon);
    for (let t = 0; t < covariates.length; t++) covariates[t] = random.nextInt(12) === 0 ? 1 : 0;
    let drift = 0;
    for (let t = 0; t < days; t++) {
      drift += 0.01 * normalOf(random);
      const year = yearly * Math.sin((2 * Math.PI * (t + phase)) / 365.25);
      const logMean = (week[(t + 3) % 7] as number) + year + growth * t + drift + lift * (covariates[t] as number);
      values[t] = Math.max(0, Math.round(base * expDeterministic(logMean) * (1 + 0.12 * normalOf(random))));
    }
    series.push({ name: `store ${s}`, start: FIRST_DAY, values, covariates });
  }
  return { frequency: "daily", horizon, covariates: [{ name: "promo", kind: "number" }], series };
}
