// `linear` and `mlp` against scikit-learn: the same rows, epochs and sizes, runs in turn, medians of processor seconds.
import { linear, mlp, type FitRequest, type TrainedWeights, type TrainerKind } from "../../src/learn/index.ts";
import { type Figure, median } from "../harness.ts";
import type { Section, TrainerData } from "./section.ts";

interface Case {
  readonly name: string;
  readonly trainer: TrainerKind;
  readonly params: Readonly<Record<string, number | readonly number[]>>;
  readonly peer: Readonly<Record<string, unknown>>;
  readonly epochs: number;
  readonly rounds: number;
  readonly atLeast: number;
}

const RATE = 0.001;
const network = (units: number, batch: number, atLeast: number): Case => ({
  name: `mlp ${units}, batch ${batch}`,
  trainer: mlp,
  params: { hidden: [units], batch, learningRate: RATE },
  peer: { name: "mlp", hidden: [units], batch, rate: RATE },
  epochs: 5,
  rounds: 3,
  atLeast,
});
const CASES: readonly Case[] = [
  { name: "linear", trainer: linear, params: {}, peer: { name: "sgd" }, epochs: 10, rounds: 9, atLeast: 3 },
  network(64, 128, 3),
  network(256, 256, 3),
];

function requestOf({ train }: TrainerData, one: Case): FitRequest {
  const { columns } = train.x;
  return {
    task: "binary",
    train,
    validation: {
      x: { rows: 0, columns, values: new Float32Array(0) },
      y: { values: new Float64Array(0), classCount: 2 },
    },
    params: { ...one.params, epochs: one.epochs, patience: one.epochs },
    seed: 1,
    signal: new AbortController().signal,
    onPoint: async () => {},
  };
}

function logLoss(trainer: TrainerKind, weights: TrainedWeights, { test }: TrainerData): number {
  const score = trainer.scorer(weights, "binary");
  const out = new Float64Array(2);
  let sum = 0;
  for (let i = 0; i < test.x.rows; i++) {
    score(test.x.values, i * test.x.columns, out);
    sum -= Math.log(Math.max(1e-12, out[test.y.values[i] as number] as number));
  }
  return sum / test.x.rows;
}

async function ours(data: TrainerData, one: Case): Promise<{ cpu: number; weights: TrainedWeights }> {
  const before = process.cpuUsage();
  const weights = await one.trainer.fit(requestOf(data, one));
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6, weights };
}

export const epochTrainers: Section = {
  name: "linear and mlp",
  async run(data, peer) {
    const figures: Figure[] = [];
    for (const one of CASES) {
      const own: number[] = [];
      const other: number[] = [];
      await ours(data, one);
      let loss = 0;
      let otherLoss = 0;
      for (let round = 0; round < one.rounds; round++) {
        const { cpu, weights } = await ours(data, one);
        own.push(cpu);
        loss = logLoss(one.trainer, weights, data);
        if (peer === undefined) continue;
        const { rows, columns } = data.train.x;
        const answer = await peer.ask({ ...one.peer, ...data.files, rows, columns, epochs: one.epochs });
        other.push(answer.cpu);
        otherLoss = answer.logLoss;
      }
      const samples = data.train.x.rows * one.epochs;
      const unit = "million samples/s";
      figures.push({ name: `${one.name}: ours`, value: samples / median(own) / 1e6, unit });
      if (peer === undefined) continue;
      figures.push({ name: `${one.name}: scikit-learn`, value: samples / median(other) / 1e6, unit });
      figures.push({ name: `${one.name}: ratio`, value: median(other) / median(own), unit: "×", atLeast: one.atLeast });
      figures.push({
        name: `${one.name}: log loss, ours less theirs`,
        value: loss - otherLoss,
        unit: "",
        atMost: 0.005,
      });
    }
    const notes = peer === undefined ? ["No Python with scikit-learn was found: run `node bench/peers.mjs`."] : [];
    return { figures, notes };
  },
};
