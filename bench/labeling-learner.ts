/** What the labeling benchmark learns with: the linear trainer on some rows of a labelled table. */
import { createPreparedWriter, fitPreparation, type Frame } from "../src/data/index.ts";
import { findTrainer } from "../src/learn/index.ts";
import { createPredictor } from "../src/model/index.ts";

export interface LabelledTable {
  readonly frame: Frame;
  /** Class of each row, an index into `classes`. */
  readonly labels: Float64Array;
  readonly classes: readonly string[];
}

const trainer = findTrainer("linear");

/** A classifier of the train rows, and its accuracy on the test rows. */
export async function learn(table: LabelledTable, train: Uint32Array, test: Uint32Array, seed: number) {
  const { frame, labels, classes } = table;
  const preparation = fitPreparation({ frame, rows: train, input: trainer.input, classes });
  const writer = createPreparedWriter(preparation);
  const part = (rows: Uint32Array) => ({
    x: { rows: rows.length, columns: writer.width, values: writer.writeFrame(frame, rows) },
    y: { values: Float64Array.from(rows, (row) => labels[row] as number), classCount: classes.length },
  });
  const weights = await trainer.fit({
    task: "multiclass",
    train: part(train),
    validation: part(train),
    params: trainer.resolveParams({ epochs: 30 }),
    seed,
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
  const predictor = createPredictor({ task: "multiclass", classes, preparation, weights });
  const width = classes.length;
  const scores = predictor.scoreFrame(frame, test);
  let right = 0;
  test.forEach((row, i) => {
    const own = scores.subarray(i * width, (i + 1) * width);
    if (own.indexOf(Math.max(...own)) === labels[row]) right++;
  });
  return { predictor, accuracy: right / test.length };
}
