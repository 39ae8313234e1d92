// What reproducible bits cost: our exp and log against the engine's own, over the same numbers.
import { expDeterministic, logDeterministic } from "../src/stats/exp.ts";
import { type BenchResult, measure, type Workload } from "./harness.ts";

const COUNT = 200_000;

export async function run(): Promise<BenchResult> {
  const inputs = Float64Array.from({ length: COUNT }, (_, index) => (index / COUNT) * 40 + 0.001);
  const sink = new Float64Array(COUNT);
  const over = (name: string, f: (x: number) => number): Workload => ({
    name,
    items: COUNT,
    run: () => {
      for (let i = 0; i < COUNT; i += 1) sink[i] = f(inputs[i] ?? 0);
    },
  });
  const measurements = await measure([
    over("Math.exp", Math.exp),
    over("expDeterministic", expDeterministic),
    over("Math.log", Math.log),
    over("logDeterministic", logDeterministic),
  ]);
  return { baseline: "Math.exp", measurements };
}
