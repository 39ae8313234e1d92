/**
 * `embed: onnx("backbone.onnx")` of a trainer: a frozen model from outside turns features into a vector, the trainer learns a head
 * on it. The file is read, vetted and bound when the configuration is, so that its content is part of the definition; a file that
 * has gone since is taken from the copy that the server kept with its first training.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve as resolvePath } from "node:path";
import {
  choiceField,
  type Field,
  type FieldPlace,
  fail,
  KEPT_BACKBONES,
  listField,
  numberField,
  objectField,
  optional,
  RetrainError,
  refuse,
  sha256Hex,
  textField,
} from "../core/index.ts";
import type { BackboneSpec, DataSchema } from "../data/index.ts";
import { ALL_TRAINERS, describeTrainer } from "../learn/index.ts";
import { bindBackbone, inspectOnnx } from "../model/index.ts";
import type { TrainerSpec } from "../train/spec.ts";
import type { ModelSpec, RetrainSpec } from "./spec.ts";

/** Every version carries the file; larger ones would fill the disk with copies of themselves. */
const MAX_BACKBONE_BYTES = 268_435_456;

export interface BackboneOptions {
  /** Features that go into its one input: one text, vector or image, or several numbers. Default: the one that fits, or all numbers. */
  readonly of?: string | readonly string[];
  /** The output that is the vector, where there are several. */
  readonly output?: string;
  /** Of an image's pixels in [0, 1], one number per channel or one for all: (pixel − mean) / deviation goes in. */
  readonly mean?: number | readonly number[];
  readonly deviation?: number | readonly number[];
}
export interface BackboneConfig extends BackboneOptions {
  readonly kind: "onnx";
  readonly path: string;
}

/**
 * A frozen ONNX model that turns an image, a vector, a text or numbers into the vector a head is trained on:
 * `mlp({ embed: onnx("resnet.onnx", { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }) })`. The path is
 * relative to the configuration. For `mlp()` and `linear()`.
 */
export const onnx = (path: string, options: BackboneOptions = {}): BackboneConfig => ({
  kind: "onnx",
  path,
  ...options,
});

const oneOrMore = <T>(description: string, item: Field<T>): Field<readonly T[]> => {
  const list = listField(description, item, { min: 1 });
  return {
    info: { rule: `${item.info.rule}, or a list of them`, description },
    read: (value, place) => (Array.isArray(value) ? list.read(value, place) : [item.read(value, place)]),
  };
};

const table = objectField("A frozen model in front of the trainer.", {
  kind: choiceField("What it is.", ["onnx"]),
  path: textField("The file, relative to the configuration."),
  of: optional(oneOrMore("Features that go into its one input.", textField("A feature."))),
  output: optional(textField("The output that is the vector.")),
  mean: optional(oneOrMore("Taken from each pixel.", numberField("A number.", { min: -1e6, max: 1e6 }))),
  deviation: optional(oneOrMore("What each pixel is divided by.", numberField("A number.", { min: 1e-6, max: 1e6 }))),
});
/** As read, not bound to features yet. */
type ReadBackbone = ReturnType<typeof table.read>;

/** Takes `embed` out of a trainer's parameters, which the trainer itself does not know. */
export function readEmbed(
  trainer: string,
  params: unknown,
  place: FieldPlace,
): { readonly params: unknown; readonly embed?: BackboneSpec } {
  if (typeof params !== "object" || params === null || !Object.hasOwn(params, "embed")) return { params };
  const { embed, ...rest } = params as Record<string, unknown>;
  if (embed === undefined) return { params: rest };
  const own = { ...place, path: `${place.path}.params.embed` };
  if (describeTrainer(trainer).takesEmbedding !== true) {
    const able = ALL_TRAINERS.filter((one) => one.takesEmbedding === true).map(({ name }) => `${name}()`);
    throw refuse(own, "a backbone", {
      rule: `left out: the trainer "${trainer}" takes none; ${able.join(" and ")} do`,
      description: "",
    });
  }
  const read: ReadBackbone = table.read(embed, { ...own, record: () => {} });
  place.record(`${place.path}.embed`, place.originOf(own.path));
  // Bound by `bindBackbones`, where folder and features are known.
  return { params: rest, embed: read as unknown as BackboneSpec };
}

interface Places {
  /** What the path is relative to. */
  readonly folder: string;
  /** The data directory. */
  readonly directory: string;
}

/** The models with the backbones of their trainers read and bound, and where those lay. @throws CONFIG_INVALID */
export function bindBackbones(
  given: readonly ModelSpec[],
  places: Places,
): Pick<RetrainSpec, "models" | "backboneFiles"> {
  const files: Record<string, string> = {};
  const models = given.map((model) => {
    const { best } = model.retrain;
    const bind = (trainer: TrainerSpec, path: string): TrainerSpec =>
      trainer.embed === undefined
        ? trainer
        : {
            ...trainer,
            embed: bindOne(trainer.embed as unknown as ReadBackbone, { ...places, files, path }, model.schema),
          };
    const trainer = bind(model.trainer, `models.${model.name}.trainer.params.embed`);
    const of = best?.of.map((one, i) => {
      const own = bind(one.trainer, `models.${model.name}.retrain.how.of[${i}].trainer.params.embed`);
      return own === one.trainer ? one : { ...one, trainer: own };
    });
    const bound = {
      ...model,
      trainer,
      ...(of === undefined ? {} : { retrain: { ...model.retrain, best: { ...best, of } } }),
    };
    refuseIncremental(bound as ModelSpec);
    return bound as ModelSpec;
  });
  return { models, ...(Object.keys(files).length === 0 ? {} : { backboneFiles: files }) };
}

/** Learning example by example happens in the server's worker, where no model from outside may run. */
function refuseIncremental({ name, trainer, retrain }: ModelSpec): void {
  const all = retrain.best?.of ?? [{ how: retrain.how, trainer }];
  if (!all.some((one) => one.how === "incremental" && one.trainer.embed !== undefined)) return;
  const path = `models.${name}.retrain.how`;
  throw fail("CONFIG_INVALID", {
    message: `\`${path}\` is "incremental", which learns example by example in the server, and the trainer begins with a backbone, which runs in processes of its own.`,
    remedy: 'Write "full" or "warm-start", or leave `embed` out.',
    details: { path },
  });
}

interface Binding extends Places {
  /** Of the key in the configuration. */
  readonly path: string;
  /** Takes where the file lay, by its hash. */
  readonly files: Record<string, string>;
}

function bindOne(read: ReadBackbone, binding: Binding, schema: DataSchema): BackboneSpec {
  const { path } = binding;
  const { bytes, place } = readBackbone(read.path, binding);
  const sha256 = sha256Hex(bytes);
  binding.files[sha256] = place;
  const { of, output, mean, deviation } = read;
  try {
    const file = inspectOnnx(bytes);
    if (file.bytes !== bytes) {
      throw fail("MODEL_INVALID", {
        message: "It ends in a ZipMap, which makes maps of its numbers.",
        remedy: "Export it without (skl2onnx: `options={id(model): {'zipmap': False}}`).",
      });
    }
    const embedding = bindBackbone({
      file,
      sha256,
      features: schema.features,
      ...(of === undefined ? {} : { of }),
      ...(output === undefined ? {} : { output }),
      ...(mean === undefined ? {} : { mean }),
      ...(deviation === undefined ? {} : { deviation }),
    });
    return { ...embedding, path: read.path };
  } catch (error) {
    if (!(error instanceof RetrainError)) throw error;
    throw fail("CONFIG_INVALID", {
      message: `\`${path}\`, the file "${read.path}": ${error.message}`,
      remedy: error.remedy,
      details: { path },
      cause: error,
    });
  }
}

function readBackbone(
  file: string,
  { folder, directory, path }: Binding,
): { readonly bytes: Uint8Array; readonly place: string } {
  const place = resolvePath(folder, file);
  const found = existsSync(place) ? place : keptCopy(file, directory);
  if (found === undefined) {
    throw fail("CONFIG_INVALID", {
      message: `\`${path}\` names the file "${file}", which is not there: ${place} does not exist, and no copy of an earlier training is kept.`,
      remedy: "Correct the path, which is relative to the configuration, or put the file there.",
      details: { path },
    });
  }
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(found));
  } catch (cause) {
    throw fail("CONFIG_INVALID", {
      message: `\`${path}\`: the file ${found} cannot be read (${(cause as Error).message}).`,
      remedy: "Give the server the right to read it, or name another file.",
      details: { path },
      cause,
    });
  }
  if (bytes.length <= MAX_BACKBONE_BYTES) return { bytes, place: found };
  throw fail("CONFIG_INVALID", {
    message: `\`${path}\`: the file "${file}" has ${bytes.length} bytes; a backbone, which every version carries, has at most ${MAX_BACKBONE_BYTES}.`,
    remedy: "Take a smaller one, or send its vectors as `f.vector` features.",
    details: { path },
  });
}

/** The copy that `loop/backbones.ts` keeps in the data directory. */
function keptCopy(file: string, directory: string): string | undefined {
  const kept = join(directory, "objects", KEPT_BACKBONES);
  try {
    const paths = JSON.parse(readFileSync(join(kept, "paths.json"), "utf8")) as Readonly<Record<string, string>>;
    const sha256 = Object.hasOwn(paths, file) ? paths[file] : undefined;
    const copy = sha256 === undefined ? undefined : join(kept, `${sha256}.onnx`);
    return copy !== undefined && existsSync(copy) ? copy : undefined;
  } catch {
    // No training has kept one yet.
    return undefined;
  }
}
