/**
 * What a version looks at, feature by feature: what its own weights say (the gains of its splits, its coefficients), and how much
 * its answers change when one feature's value is another row's. The first is exact and is about training; the second means the
 * same for every trainer. Neither is a cause: of two features that say the same, a model may use either.
 */
import type { FeatureCoefficient, FeatureImportance, LabelValue, ModelImportance } from "../core/index.ts";
import type { Preparation } from "../data/index.ts";
import { gbdtImportance } from "../learn/index.ts";
import type { TrainedWeights } from "../learn/index.ts";
import type { Artifact } from "./artifact.ts";

/** Columns listed of one feature: a hashed text has thousands. */
const MAX_COLUMNS = 20;

/** Cost: one pass over the weights. */
export function importanceOf(
  artifact: Pick<Artifact, "manifest" | "weights" | "preparation" | "profile">,
): ModelImportance {
  const { manifest, weights, preparation, profile } = artifact;
  const answers = profile.importance ?? {};
  const own = ownImportance(weights, preparation);
  const names = [...new Set([...Object.keys(answers), ...own.keys()])];
  const features = names.map((feature): FeatureImportance => {
    const answerShare = answers[feature];
    return { feature, ...(answerShare === undefined ? {} : { answerShare }), ...own.get(feature) };
  });
  const found = {
    trainer: manifest.trainer,
    outputs: outputsOf(manifest.task, manifest.classes),
    features: features.toSorted(
      (left, right) => sizeOf(right) - sizeOf(left) || (left.feature < right.feature ? -1 : 1),
    ),
  };
  return features.length > 0 ? found : { ...found, reason: whyNone(artifact) };
}

function outputsOf(task: string, classes: readonly LabelValue[]): readonly string[] {
  return task === "multiclass" ? classes.map(String) : [task === "binary" ? "log-odds" : "value"];
}

function whyNone({ manifest: { task, trainer } }: Pick<Artifact, "manifest">): string {
  if (task === "forecast") return "A forecast rests on the history of its series, which is not split by feature.";
  if (task === "recommend") return "A recommender rests on who took what, not on features.";
  return `The answers of "${trainer}" change with no feature, or its held-out rows were too few to say.`;
}

function sizeOf({ gainShare, answerShare, coefficients }: FeatureImportance): number {
  return gainShare ?? answerShare ?? largest(coefficients?.[0]);
}

const largest = (one: FeatureCoefficient | undefined) =>
  Math.max(0, ...(one?.values ?? []).map((each) => Math.abs(each)));

type Own = Omit<FeatureImportance, "feature" | "answerShare">;

function ownImportance(weights: TrainedWeights, preparation: Preparation): ReadonlyMap<string, Own> {
  if (weights.trainer === "gbdt") return splitImportance(weights, columnOwners(preparation));
  if (weights.trainer === "linear") return coefficientsOf(weights, preparation);
  return new Map();
}

function splitImportance(weights: TrainedWeights, owners: readonly string[]): Map<string, Own> {
  const columns = gbdtImportance(weights);
  const total = columns.reduce((sum, { gain }) => sum + gain, 0);
  const found = new Map<string, { gainShare: number; splits: number }>();
  columns.forEach(({ gain, splits }, column) => {
    const owner = owners[column] as string;
    const before = found.get(owner) ?? { gainShare: 0, splits: 0 };
    found.set(owner, {
      gainShare: before.gainShare + (total > 0 ? gain / total : 0),
      splits: before.splits + splits,
    });
  });
  return found;
}

/** Weights: outputs × (columns + 1), the intercept of each last. */
function coefficientsOf(trained: TrainedWeights, preparation: Preparation): Map<string, Own> {
  const weights = trained.arrays["weights"] as Float64Array;
  const columns = Number(trained.shape["columns"]);
  const unit = Number(trained.shape["targetDeviation"] ?? 1);
  const outputs = weights.length / (columns + 1);
  const found = new Map<string, FeatureCoefficient[]>();
  columnOwners(preparation).forEach((owner, column) => {
    const values = Array.from({ length: outputs }, (_, i) => unit * (weights[i * (columns + 1) + column] as number));
    const before = found.get(owner);
    const one = { column: preparation.columns[column] as string, values };
    if (before === undefined) found.set(owner, [one]);
    else before.push(one);
  });
  return new Map(
    [...found].map(([owner, all]) => {
      const coefficients = all.toSorted((left, right) => largest(right) - largest(left)).slice(0, MAX_COLUMNS);
      return [owner, { coefficients, columns: all.length }];
    }),
  );
}

/** The feature of every column of the model's input. */
function columnOwners({ input, features, wide, columns }: Preparation): readonly string[] {
  const owners: string[] = Array.from({ length: columns.length }, (_, column) => columns[column] as string);
  if (input === "codes") features.forEach(({ name }, column) => (owners[column] = name));
  else {
    for (const feature of features) {
      const count = feature.kind === "category" ? feature.categories.length : 1;
      owners.fill(feature.name, feature.column, feature.column + count);
      if (feature.kind === "category" && feature.otherColumn !== undefined) owners[feature.otherColumn] = feature.name;
      if (feature.missingColumn !== undefined) owners[feature.missingColumn] = feature.name;
    }
  }
  for (const { name, column, size, missingColumn } of wide ?? []) {
    owners.fill(name, column, column + size);
    if (missingColumn !== undefined) owners[missingColumn] = name;
  }
  return owners;
}
