/** Fits a trainer on rows of a dataset: the part that `train`, the refit and `reproduce` share. */
import type { Task } from "../core/index.ts";
import type { Dataset, Preparation } from "../data/index.ts";
import { classCount, createPreparedWriter, rowWeights } from "../data/index.ts";
import type { ColumnInfo, Matrix, Targets, TrainedWeights } from "../learn/index.ts";
import { withBackbone } from "../model/index.ts";
import { embedDataset, readBackbone } from "./embed.ts";
import { fitExternal } from "./external.ts";
import type { FitJob } from "./fit-job.ts";

/** Rows of a dataset as a prepared matrix with its targets. */
export function preparedPart(
  dataset: Dataset,
  preparation: Preparation,
  task: Task,
  rows: Uint32Array,
): { readonly x: Matrix; readonly y: Targets } {
  const writer = createPreparedWriter(preparation);
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = dataset.target[rows[i] as number] as number;
  return {
    x: { rows: rows.length, columns: writer.width, values: writer.writeFrame(dataset.frame, rows) },
    y: { values, classCount: classCount(task, dataset.classes) },
  };
}

function columnInfos(preparation: Preparation): ColumnInfo[] {
  const scalars = preparation.features.map(({ name, kind }) => ({
    name,
    kind: kind === "category" ? ("category" as const) : ("number" as const),
  }));
  const wide = preparation.columns.slice(scalars.length).map((name) => ({ name, kind: "number" as const }));
  return [...scalars, ...wide];
}

/** The weights of a head carry the file of its backbone. */
export async function fitOnDataset(job: FitJob): Promise<TrainedWeights> {
  const { embed } = job.preparation;
  if (job.trainer.name === "command") return fitExternal(job);
  if (embed === undefined) return fitMatrix(job);
  const { folder, signal } = job;
  const dataset = await embedDataset(job.dataset, embed, { folder, signal });
  return withBackbone(await fitMatrix({ ...job, dataset }), await readBackbone(folder, embed));
}

async function fitMatrix(job: FitJob): Promise<TrainedWeights> {
  const { task, dataset, preparation } = job;
  const train = preparedPart(dataset, preparation, task, job.train);
  const weights = job.weights === undefined ? undefined : rowWeights(dataset, job.train, job.weights);
  return job.trainer.fit({
    task,
    ...(preparation.input === "codes" ? { columns: columnInfos(preparation) } : {}),
    train: weights === undefined ? train : { ...train, y: { ...train.y, weights } },
    validation: preparedPart(dataset, preparation, task, job.validation),
    params: job.params,
    seed: job.seed,
    ...(job.base === undefined ? {} : { base: job.base }),
    ...(job.freeze === undefined ? {} : { freeze: job.freeze }),
    signal: job.signal,
    onPoint: job.onPoint,
    ...(job.resume === undefined ? {} : { resume: job.resume }),
    ...(job.onCheckpoint === undefined ? {} : { onCheckpoint: job.onCheckpoint }),
  });
}
