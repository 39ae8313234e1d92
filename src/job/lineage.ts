/** What the manifest of a version says about where it comes from. */
import { createRequire } from "node:module";
import type { Dataset, ReferenceProfile, Splits } from "../data/index.ts";
import type { TrainerDescription } from "../learn/index.ts";
import type { ArtifactParts, Manifest } from "../model/index.ts";
import { strategyParams } from "../train/index.ts";
import { readArtifactFolder } from "./folder.ts";
import type { PreparedState } from "./folder.ts";
import type { JobInput } from "./input.ts";
import { describeReference } from "./reference.ts";
import { isRefitted, refitRows } from "./refit.ts";
import type { FinalModel } from "./refit.ts";

// By the package's own name, so the same line works from the sources and from the built files.
export const { version } = createRequire(import.meta.url)("retrain/package.json") as { readonly version: string };

/** A transfer learns all of its own rows, so it is no link of a chain of versions that each saw a part. */
function lineageOf(
  base: Manifest | undefined,
  { strategy }: PreparedState,
  input: JobInput,
): Pick<Manifest, "base" | "chain" | "transfer"> {
  if (base === undefined) return {};
  if (strategy !== "transfer") return { base: base.modelHash, chain: (base.chain ?? 0) + 1 };
  const from = input.baseVersion ?? base.model;
  return { base: base.modelHash, transfer: { from, freeze: input.spec.retrain.transfer?.freeze ?? [] } };
}

export async function describeArtifact(
  options: {
    readonly input: JobInput;
    readonly dataset: Dataset;
    readonly splits: Splits;
    readonly state: PreparedState;
    readonly final: FinalModel;
    readonly threshold: number | undefined;
    readonly learned?: Manifest["learned"] | undefined;
  },
  trainer: TrainerDescription,
): Promise<{ readonly manifest: ArtifactParts["manifest"]; readonly profile: ReferenceProfile }> {
  const { input, dataset, splits, state, final, threshold, learned } = options;
  const { spec } = input;
  const { windowMs, windowRows } = spec.data;
  const { embed } = final.preparation;
  const refit = isRefitted(spec, state.strategy);
  const rows = refit ? refitRows(dataset, splits) : splits.train;
  const base =
    state.strategy === "full" || input.baseFolder === undefined
      ? undefined
      : (await readArtifactFolder(input.baseFolder)).manifest;
  const trainTo = learned?.through ?? (refit ? (dataset.at[rows.length - 1] as number) : splits.trainTo);
  const profileRows = new Uint32Array(splits.train.length + splits.validation.length);
  profileRows.set(splits.train);
  profileRows.set(splits.validation, splits.train.length);
  return {
    profile: describeReference({
      task: spec.schema.task,
      dataset,
      rows: refit ? rows : profileRows.sort(),
      holdout: splits.holdout,
      predictor: final.predictor,
      seed: input.seed,
      ...(input.profileGrid === undefined ? {} : { grid: input.profileGrid }),
    }),
    manifest: {
      model: spec.name,
      task: spec.schema.task,
      classes: dataset.classes,
      signature: {
        features: spec.schema.features.map((feature) => ({ name: feature.name, kind: feature.spec.kind })),
        preparation: final.preparation.input,
      },
      trainer: trainer.name,
      params: strategyParams(trainer, state.strategy, spec.trainer.params),
      ...(embed === undefined ? {} : { embed: { sha256: embed.sha256, size: embed.size } }),
      seed: input.seed,
      strategy: state.strategy,
      ...lineageOf(base, state, input),
      ...(learned === undefined ? {} : { learned }),
      dataset: {
        hash: dataset.hash,
        rows: dataset.rows,
        asOf: state.asOf,
        window: {
          ...(windowMs === undefined ? {} : { windowMs }),
          ...(windowRows === undefined ? {} : { windowRows }),
        },
        trainRows: splits.train.length,
        validationRows: splits.validation.length,
        holdoutRows: splits.holdout.length,
        trainTo: spec.schema.time === undefined || !Number.isFinite(trainTo) ? null : trainTo,
      },
      definitionRevision: input.definitionRevision,
      ...(threshold === undefined ? {} : { threshold }),
      refit,
      engine: { node: process.versions.node, retrain: version },
    },
  };
}
