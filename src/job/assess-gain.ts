/**
 * Whether retraining on these rows is expected to pay: the champion's loss on the new rows against its loss on its own holdout
 * (not on the old rows, which it was fitted to), and how many rows there are more. A hint for people; the gate judges.
 */
import { type JsonObject, type Outcome, metricWord } from "../core/index.ts";
import { type Dataset, isNumeric } from "../data/index.ts";
import { type Artifact, predictorOf } from "../model/index.ts";
import { lossOf, parseCalibration } from "../monitor/index.ts";
import { labelledRow } from "./held-out.ts";
import type { JobInput } from "./input.ts";

/** Rows scored at most: the mean loss is then right within a few percent of its deviation. */
const MAX_ROWS = 2_000;
const MIN_ROWS = 50;
/** Half as many rows again usually lower a loss that more data can lower; a tenth does not. */
const WORTHWHILE_GROWTH = 0.5;
/** One-sided 95 % normal quantile. */
const Z = 1.6448536269514722;

export interface ExpectedGain extends JsonObject {
  readonly outcome: Outcome;
  readonly reason: string;
}

export function expectedGain(
  champion: Artifact | undefined,
  input: JobInput,
  dataset: Dataset,
  fresh: Uint32Array,
): ExpectedGain {
  const { task } = input.spec.schema;
  const notes = champion === undefined ? undefined : parseCalibration(champion.calibration);
  const cells = notes?.features?.[0]?.cells;
  if (champion === undefined || cells === undefined)
    return {
      outcome: "cannot-tell",
      reason: "There is no champion whose holdout the new rows could be compared with.",
    };
  if (fresh.length < MIN_ROWS)
    return { outcome: "cannot-tell", reason: `Fewer than ${MIN_ROWS} labelled rows are new.`, newRows: fresh.length };
  const held = cells.reduce((sum, cell) => sum + cell.share * (cell.meanLoss ?? 0), 0);
  const heldRows = cells.reduce((sum, cell) => sum + cell.rows, 0);
  const step = Math.max(1, Math.ceil(fresh.length / MAX_ROWS));
  const rows = fresh.filter((_, i) => i % step === 0);
  const predictor = predictorOf(champion);
  const threshold = champion.manifest.threshold;
  const scored = { input, dataset, rows, predictor, scores: predictor.scoreFrame(dataset.frame, rows), threshold };
  const metric = isNumeric(task) ? "mae" : "logLoss";
  const losses = Float64Array.from(rows, (_, position) => lossOf(metric, labelledRow(scored, position)));
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const variance = losses.reduce((sum, loss) => sum + (loss - mean) * (loss - mean), 0) / (losses.length - 1);
  const error = Math.sqrt(variance * (1 / losses.length + 1 / Math.max(1, heldRows)));
  const excess = mean - held;
  const before = dataset.rows - fresh.length;
  const growth = before === 0 ? 1 : fresh.length / before;
  const inputs = { metric, newLoss: mean, holdoutLoss: held, excess, error, newRows: fresh.length, growth };
  const text = (value: number) => Number(value.toPrecision(3)).toString();
  if (excess > Z * error) {
    const reason = `The champion's ${metricWord(metric)} is ${text(mean)} on the new rows, ${text(held)} on its holdout: there is something to learn.`;
    return { outcome: "yes", reason, ...inputs };
  }
  if (growth >= WORTHWHILE_GROWTH) {
    const reason = `The champion does as well on the new rows, but they are ${Math.round(growth * 100)} % of the old ones: more rows may help.`;
    return { outcome: "yes", reason, ...inputs };
  }
  const reason = `The champion does as well on the new rows (${metricWord(metric)} ${text(mean)}, ${text(held)} on its holdout), and they add ${Math.round(growth * 100)} %: little is to be gained.`;
  return { outcome: "no", reason, ...inputs };
}
