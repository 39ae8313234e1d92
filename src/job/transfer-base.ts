/** The version that a transfer starts from: what must fit, and how it is told. Unlike a warm start, a transfer that cannot be done fails the run: somebody asked for that very version. */
import { asRetrainError, fail, plural } from "../core/index.ts";
import { embeddedNames, isWide, wideSize } from "../data/index.ts";
import type { Dataset, Embedding, Preparation } from "../data/index.ts";
import type { TrainerKind } from "../learn/index.ts";
import type { Artifact } from "../model/index.ts";
import { sameEmbedding, trainerEmbedding } from "./embed.ts";
import { readArtifactFolder } from "./folder.ts";
import type { JobInput } from "./input.ts";

function unfit(input: JobInput, why: string, remedy: string, cause?: unknown) {
  return fail("TRANSFER_BASE_UNFIT", {
    message: `${input.spec.name} cannot start from ${input.baseVersion ?? "its base"}: ${why}`,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @throws TRANSFER_BASE_UNFIT */
export async function readTransferBase(input: JobInput, trainer: TrainerKind): Promise<Artifact> {
  if (input.baseFolder === undefined)
    throw unfit(input, "it was not given.", "Name a version in `transfer({ from })` that exists.");
  const base = await readArtifactFolder(input.baseFolder).catch((error: unknown) => {
    throw unfit(input, asRetrainError(error).message, "Choose another version, or restore its files.", error);
  });
  const why = whyUnfit(base, trainer, input);
  if (why !== undefined)
    throw unfit(input, why, "Give both models the same features and layers, or choose another version.");
  return base;
}

/** Features go into the first layer in the base's order and scale, so they have to be the same ones. */
function whyUnfit(base: Artifact, trainer: TrainerKind, input: JobInput): string | undefined {
  const { manifest, preparation } = base;
  const { schema, trainer: own } = input.spec;
  if (manifest.trainer !== trainer.name)
    return `it was trained by "${manifest.trainer}", this model by "${trainer.name}".`;
  const isRegression = (task: string) => task === "regression";
  if (isRegression(manifest.task) !== isRegression(schema.task))
    return `its task is ${manifest.task}, this model's is ${schema.task}; layers go from classes to classes, or from numbers to numbers.`;
  const features = (all: readonly { readonly name: string; readonly kind: string }[]) =>
    all.map(({ name, kind }) => `${name}: ${kind}`).join(", ");
  const [was, is] = [
    features(manifest.signature.features),
    features(schema.features.map(({ name, spec }) => ({ name, kind: spec.kind }))),
  ];
  if (was !== is) return `its features are ${was.slice(0, 300)}; this model's are ${is.slice(0, 300)}.`;
  const embedding = trainerEmbedding(own);
  if (!sameEmbedding(preparation.embed, embedding)) {
    const named = (one: Embedding | undefined) => (one === undefined ? "none" : `${one.sha256.slice(0, 12)}…`);
    return `its backbone is ${named(preparation.embed)}, this model's is ${named(embedding)}, or it is bound to other features.`;
  }
  const goneIn = embedding === undefined ? new Set() : embeddedNames(embedding);
  for (const { name, spec } of schema.features) {
    if (goneIn.has(name)) continue;
    const size = preparation.wide?.find((feature) => feature.name === name)?.size;
    if (isWide(spec) && spec.kind !== "text" && size !== wideSize(spec))
      return `its feature "${name}" has ${plural(size ?? 0, "value")}, this model's has ${wideSize(spec)}.`;
  }
  for (const key of ["hidden", "activation"]) {
    const [before, now] = [manifest.params[key], own.params[key]].map((value) => JSON.stringify(value));
    if (before !== now) return `its \`${key}\` is ${before}, this model's is ${now}.`;
  }
  return undefined;
}

/** The base's preparation, whose columns its layers know, with this model's classes. */
export function transferPreparation(base: Artifact, dataset: Dataset): Preparation {
  return { ...base.preparation, classes: dataset.classes };
}
