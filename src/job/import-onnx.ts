/**
 * `import-onnx`: a model from elsewhere becomes a version. It is vetted, asked the rows we know, and written as an artifact with
 * its signature, probes and reference profile. Whether it goes live is the gate's business, on rows of this server.
 */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import type { JobHandler } from "../core/job-child.ts";
import { fail } from "../core/index.ts";
import type { Json } from "../core/index.ts";
import { buildReferenceProfile, fitPreparation, profiledFrame, sampleFrame } from "../data/index.ts";
import { createPredictor, writeArtifact } from "../model/index.ts";
import { calibrateVersion } from "./calibrate.ts";
import { IMPORTED, makeProbes, requireValidScores } from "./checks.ts";
import { compare } from "./compare.ts";
import { vetOnnx } from "./external.ts";
import { loadDataset, writeFolderWhole } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import { version as retrain } from "./lineage.ts";

/** Newest rows it is asked: enough for a profile and calibration, and seconds at most. */
const ASKED_ROWS = 10_000;
/** Without rows of its own to fit a threshold on; the configuration may state another. */
const PLAIN_THRESHOLD = 0.5;

/** Input: folder with dataset.parquet and import.onnx, spec. */
export const importOnnx: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { spec, folder } = input;
  const { task } = spec.schema;
  const dataset = await loadDataset(folder, spec);
  const rows = Uint32Array.from({ length: dataset.rows }, (_, row) => row).subarray(-ASKED_ROWS);
  const preparation = fitPreparation({ frame: dataset.frame, rows, input: "none", classes: dataset.classes });
  const bytes = new Uint8Array(await readFile(join(folder, "import.onnx")));
  const weights = vetOnnx(bytes, { task, dataset, preparation }, "raw", 1);
  const threshold =
    task === "binary" ? (typeof spec.threshold === "number" ? spec.threshold : PLAIN_THRESHOLD) : undefined;
  const predictor = createPredictor({
    task,
    classes: dataset.classes,
    preparation,
    weights,
    ...(threshold === undefined ? {} : { threshold }),
  });
  const scores = predictor.scoreFrame(dataset.frame, rows);
  requireValidScores(task, scores, task === "multiclass" ? dataset.classes.length : 1, IMPORTED);
  if (rows.length === 0)
    throw fail("DATASET_EMPTY", { message: "There is no row to ask the model.", remedy: "Send labelled rows first." });
  const report = await compare({
    input,
    dataset,
    train: rows,
    validation: rows,
    holdout: rows,
    candidate: predictor,
    champion: undefined,
    threshold,
    signal: control.signal,
  });
  const held = { input, dataset, rows, predictor, scores, threshold };
  const calibration = await calibrateVersion(held, report, control.signal);
  const counted = profiledFrame(dataset.frame);
  const written = await writeFolderWhole(join(folder, "artifact"), (temporary) =>
    writeArtifact(temporary, {
      manifest: {
        model: spec.name,
        task,
        classes: dataset.classes,
        signature: {
          features: spec.schema.features.map((feature) => ({ name: feature.name, kind: feature.spec.kind })),
          preparation: "none",
        },
        trainer: "command",
        params: {},
        seed: 0,
        strategy: "full",
        // What trained it is unknown: no row of ours counts as seen.
        dataset: {
          hash: dataset.hash,
          rows: 0,
          asOf: 0,
          window: {},
          trainRows: 0,
          validationRows: 0,
          holdoutRows: rows.length,
          trainTo: spec.schema.time === undefined ? null : 0,
        },
        definitionRevision: input.definitionRevision,
        ...(threshold === undefined ? {} : { threshold }),
        refit: false,
        engine: { node: process.versions.node, retrain },
      },
      weights,
      preparation,
      profile: { ...buildReferenceProfile(counted, rows), sample: sampleFrame(counted, rows) },
      probes: makeProbes(predictor, dataset.frame, rows, IMPORTED),
      calibration: calibration as unknown as Json,
    }),
  );
  return { ...written, datasetHash: dataset.hash, rows: dataset.rows, metrics: report.candidate };
};
