// The ranking of test rows against the best peer with the same parameters: real tables, and a made one with few positives.
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { gbdt } from "../src/learn/gbdt/gbdt.ts";
import { gbdtRowsScorer } from "../src/learn/gbdt/predict.ts";
import type { FitRequest, TrainedWeights } from "../src/learn/index.ts";
import { computeMetric } from "../src/stats/index.ts";
import { type Part, readDataSets, type RealData, save, table } from "./gbdt-data.ts";
import type { Peers } from "./gbdt-peer.ts";
import type { Figure } from "./harness.ts";

const TREES = 100;

export function aucOf(weights: TrainedWeights, test: Part): number {
  const answers = new Float64Array(test.x.rows * 2);
  gbdtRowsScorer(weights, "binary")(test.x.values, test.x.rows, answers);
  return rank(
    test,
    answers.filter((_, i) => i % 2 === 1),
  );
}

export function peerAuc(path: string, test: Part): number {
  const bytes = readFileSync(path);
  return rank(test, new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)));
}

function rank(test: Part, scores: Float64Array): number {
  return computeMetric("rocAuc", { labels: test.y.values, scores }) as number;
}

/** One positive in 170, as with fraud. */
function rareData(): RealData {
  const options = { intercept: -9.5 };
  const columns = Array.from({ length: 20 }, (_, i) => ({ name: `x${i}`, kind: "number" as const }));
  const [train, test] = [table(200_000, 20, 5, options), table(100_000, 20, 6, options)];
  return { name: "made, few positives", columns, train, test };
}

/** Figures per data set, and what to say about those that are not there. */
export async function compareQuality(
  peers: Peers,
  folder: string,
  requestOf: (train: Part, change?: Partial<FitRequest>) => FitRequest,
): Promise<{ readonly figures: Figure[]; readonly notes: string[] }> {
  const dataFolder = process.env["RETRAIN_BENCH_DATA"];
  const sets = [rareData(), ...(dataFolder === undefined ? [] : readDataSets(dataFolder))];
  const figures: Figure[] = [];
  for (const { name, columns, train, test } of sets) {
    const ours = aucOf(await gbdt.fit(requestOf(train, { columns })), test);
    const places = {
      train: save(join(folder, `${name} train`), train),
      test: save(join(folder, `${name} test`), test),
    };
    const theirs: [string, number][] = [];
    for (const peer of Object.keys(peers.versions)) {
      const out = join(folder, "quality.out");
      await peers.fit({
        name: peer,
        ...places,
        rows: train.x.rows,
        testRows: test.x.rows,
        columns: columns.length,
        categories: columns.flatMap(({ kind }, c) => (kind === "category" ? [c] : [])),
        threads: 1,
        trees: TREES,
        out,
      });
      theirs.push([peer, peerAuc(out, test)]);
    }
    theirs.sort((a, b) => b[1] - a[1]);
    const [best, auc] = theirs[0] as [string, number];
    figures.push({ name: `${name}: AUC less the best peer's (${best})`, value: ours - auc, unit: "", atLeast: -0.003 });
    figures.push({ name: `${name}: AUC`, value: ours, unit: "" });
  }
  const notes =
    dataFolder === undefined
      ? ["RETRAIN_BENCH_DATA names no folder of data sets: real tables are not compared."]
      : [`Real tables: ${sets.length - 1} of 4.`];
  return { figures, notes };
}
