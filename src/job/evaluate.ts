/**
 * `evaluate`: candidate, champion and baseline answer the same held-out rows; the decision threshold is fitted on validation;
 * the version is written whole into `artifact/`, its probes asked twice.
 */
import { join } from "node:path";
import type { JobHandler } from "../core/job-child.ts";
import type { Json } from "../core/index.ts";
import type { Dataset, Splits } from "../data/index.ts";
import { findTrainer } from "../learn/index.ts";
import { createPredictor, writeArtifact } from "../model/index.ts";
import type { Predictor } from "../model/index.ts";
import type { VersionCalibration } from "../monitor/index.ts";
import { fitThreshold } from "../train/index.ts";
import { calibrateVersion } from "./calibrate.ts";
import { makeProbes, trainedBy } from "./checks.ts";
import { compare, readChampion, targetsOf, unseenByChampion } from "./compare.ts";
import { embedDataset } from "./embed.ts";
import { artifactBytes, loadDataset, readPrepared, readTrained, writeFolderWhole } from "./folder.ts";
import { type Frozen, judgedAsLearned, readFrozen } from "./frozen.ts";
import { evaluateForecast } from "./forecast/evaluate.ts";
import type { PreparedState } from "./folder.ts";
import { evaluateRecommend } from "./recommend/evaluate.ts";
import { parseJobInput } from "./input.ts";
import type { JobInput } from "./input.ts";
import { describeArtifact } from "./lineage.ts";
import { isRefitted, refitOnAll } from "./refit.ts";
import type { FinalModel } from "./refit.ts";

export const evaluate: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  if (input.spec.schema.forecast !== undefined) return evaluateForecast(raw, control);
  if (input.spec.schema.recommend !== undefined) return evaluateRecommend(raw, control);
  const dataset = await loadDataset(input.folder, input.spec);
  const { splits, preparation, state } = await readPrepared(input.folder, dataset);
  const { weights, state: trained } = await readTrained(input.folder);
  // Every predictor of this step then finds the vectors with the frame.
  await embedDataset(dataset, preparation.embed, { folder: input.folder, signal: control.signal });
  const task = input.spec.schema.task;
  const bare = createPredictor({ task, classes: dataset.classes, preparation, weights });
  const frozen = await readFrozen(input, state.strategy);
  // Every validation row has been learned by then; the base's threshold was fitted on rows it had not seen.
  const threshold = frozen?.base.manifest.threshold ?? decisionThreshold(input, dataset, splits, bare);
  const candidate = createPredictor({
    task,
    classes: dataset.classes,
    preparation,
    weights,
    ...(threshold === undefined ? {} : { threshold }),
  });
  const champion = await readChampion(input, dataset);
  const unseen = unseenByChampion(splits.holdout, champion?.artifact, dataset, input);
  const judged =
    frozen === undefined ? { candidate, holdout: unseen } : judgedAsLearned(frozen, dataset, candidate, unseen);
  const { holdout } = judged;
  const report = await compare({
    input,
    dataset,
    train: splits.train,
    validation: splits.validation,
    ...judged,
    champion,
    threshold,
    signal: control.signal,
  });

  const gated: FinalModel = { weights, preparation, predictor: candidate };
  const final = isRefitted(input.spec, state.strategy)
    ? await refitOnAll({
        input,
        dataset,
        splits,
        gated,
        threshold,
        bestEpoch: trained.bestEpoch,
        signal: control.signal,
      })
    : gated;
  const calibration = await calibrateVersion(
    {
      input,
      dataset,
      rows: frozen === undefined ? splits.holdout : holdout,
      predictor: candidate,
      scores: judged.candidate.scoreFrame(dataset.frame, frozen === undefined ? splits.holdout : holdout),
      threshold,
    },
    report,
    control.signal,
  );
  const written = await writeVersion({
    input,
    dataset,
    splits,
    state,
    final,
    threshold,
    calibration,
    learned: frozen?.learned,
  });
  const sizeBytes = await artifactBytes(join(input.folder, "artifact"));
  return {
    report: { ...report, sizeBytes } as unknown as Json,
    threshold: threshold ?? null,
    ...written,
    ...(champion?.skipped === undefined ? {} : { championSkipped: champion.skipped }),
    holdoutRows: holdout.length,
    holdoutSkippedRows: splits.holdout.length - holdout.length,
  };
};

/** The configured number, or fitted on validation. Undefined unless binary. */
function decisionThreshold(
  input: JobInput,
  dataset: Dataset,
  splits: Splits,
  predictor: Predictor,
): number | undefined {
  if (input.spec.schema.task !== "binary") return undefined;
  const { threshold } = input.spec;
  if (typeof threshold === "number") return threshold;
  const labels = targetsOf(dataset, splits.validation);
  return fitThreshold(labels, predictor.scoreFrame(dataset.frame, splits.validation), threshold.maximize);
}

interface VersionParts {
  readonly input: JobInput;
  readonly dataset: Dataset;
  readonly splits: Splits;
  readonly state: PreparedState;
  readonly final: FinalModel;
  readonly threshold: number | undefined;
  readonly calibration: VersionCalibration;
  /** Set for one that learned example by example. */
  readonly learned: Frozen["learned"] | undefined;
}

async function writeVersion(options: VersionParts) {
  const { input, dataset, splits, final, calibration } = options;
  const isRecorded = final.predictor.isRecorded === true;
  const probes = isRecorded
    ? []
    : makeProbes(final.predictor, dataset.frame, splits.holdout, trainedBy(input.spec.trainer.name));
  const { manifest, profile } = await describeArtifact(options, findTrainer(input.spec.trainer.name));
  return writeFolderWhole(join(input.folder, "artifact"), (temporary) =>
    writeArtifact(temporary, {
      manifest,
      weights: final.weights,
      preparation: final.preparation,
      profile,
      probes,
      calibration: calibration as unknown as Json,
    }),
  );
}
