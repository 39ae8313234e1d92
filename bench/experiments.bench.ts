// How often experiments decide wrongly, over thousands of simulated ones that are looked at all the time, and how soon they decide
// rightly. `--runs=200` makes it short.
import { createRandom } from "../src/core/index.ts";
import { bucketOf, variantOf } from "../src/deploy/assignment.ts";
import { rowsForAb } from "../src/deploy/experiment.ts";
import { sampleRatio } from "../src/deploy/guardrails.ts";
import { clopperPearsonInterval } from "../src/stats/index.ts";
import { simulateExperiments } from "./experiment-simulation.ts";
import { type BenchResult, median } from "./harness.ts";

const RUNS = 2_000;
const ROWS = 5_000;
const MARGIN = 0.03;
const EFFECT = 0.06;

/** Requests of so many users, of which the champion's are lost at the given share on the way. */
function exposures(users: number, lost: number, seed: number) {
  const random = createRandom(seed);
  const arms = { champion: new Map<number, number>(), challenger: new Map<number, number>() };
  for (let i = 0; i < users; i++) {
    const bucket = bucketOf("experiments", `user-${seed}-${i}`);
    const variant = variantOf(bucket, 0.5);
    if (variant === "champion" && random.nextFloat() < lost) continue;
    arms[variant].set(bucket, (arms[variant].get(bucket) ?? 0) + 1);
  }
  return arms;
}

export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  const runs = Number(options["runs"] ?? RUNS);
  const notes: string[] = [];
  const rate = (name: string, count: number, of = runs) => {
    const [low, high] = clopperPearsonInterval(count, of);
    const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
    notes.push(
      `${name}: ${count} of ${of} = ${percent(count / of)}, 95 % interval ${percent(low)} to ${percent(high)}`,
    );
    return (100 * count) / of;
  };
  const equal = simulateExperiments({ runs, max: ROWS, effect: 0, seed: 1, margin: MARGIN });
  const worse = simulateExperiments({ runs, max: ROWS, effect: -MARGIN, seed: 2, margin: MARGIN });
  const max = rowsForAb({ rowDeviation: Math.sqrt(0.33 * 0.67), effect: EFFECT, share: 0.5, alpha: 0.05 });
  const better = simulateExperiments({ runs, max, effect: EFFECT, seed: 3, margin: MARGIN });
  const ratioRuns = Math.max(20, Math.round(runs / 10));
  let alarms = 0;
  for (let seed = 1; seed <= ratioRuns; seed++) if (sampleRatio(exposures(20_000, 0, seed), 0.5).mismatch) alarms++;
  const detected = sampleRatio(exposures(102_000, 1 - 49 / 51, 1), 0.5).mismatch;
  const wrong = equal.better + equal.worse;
  return {
    figures: [
      {
        name: "equal models: promoted or rolled back",
        value: rate("equal models decided", wrong),
        unit: "%",
        atMost: 5,
      },
      { name: "the same with a fixed z-test, peeking", value: rate("fixed z", equal.fixedZ), unit: "%", atLeast: 5 },
      {
        name: "equal models: rolled back for harm",
        value: rate("harm of equal models", equal.harm),
        unit: "%",
        atMost: 5,
      },
      {
        name: "worse by the margin: called not worse",
        value: rate("worse called not worse", worse.notWorse),
        unit: "%",
        atMost: 5,
      },
      { name: "planned effect: promoted", value: rate("planned effect found", better.better), unit: "%", atLeast: 85 },
      {
        name: "planned effect: rolled back",
        value: rate("planned effect rolled back", better.worse),
        unit: "%",
        atMost: 1,
      },
      {
        name: "planned effect: median stop",
        value: (100 * median(better.stops)) / max,
        unit: "% of the maximum",
        atMost: 60,
      },
      {
        name: "even split: sample-ratio alarms",
        value: rate("alarms on an even split", alarms, ratioRuns),
        unit: "%",
        atMost: 2,
      },
      { name: "51/49 on 100,000 users found", value: detected ? 1 : 0, unit: "", atLeast: 1 },
    ],
    notes: [
      `${runs} experiments of ${ROWS} rows (${max} for the planned effect of ${EFFECT}), looked at every 100 rows from the 1,000th on.`,
      notes.join("\n"),
    ],
  };
}
