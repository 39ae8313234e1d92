/** Exported models against our own predictor, by onnxruntime: 10,000 rows with missing values and unseen categories. */
import { describe, expect, it } from "vitest";
import { createRandom, type Features, type Task } from "../../../src/core/index.ts";
import {
  countTerms,
  type DataSchema,
  encodeImage,
  encodeVector,
  fitPreparation,
  frameFromFeatures,
  type Preparation,
} from "../../../src/data/index.ts";
import { findTrainer, type TrainedWeights } from "../../../src/learn/index.ts";
import { createPredictor, exportOnnx } from "../../../src/model/index.ts";
import { fitOnDataset } from "../../../src/job/fit.ts";
import { loadRuntime } from "../../../src/model/onnx/runtime.ts";

const TRAIN_ROWS = 2_000;
const CHECKED_ROWS = 10_000;

const schemaOf = (task: Task): DataSchema => ({
  task,
  labelColumn: "y",
  features: [
    { name: "amount", spec: { kind: "number" } },
    { name: "age", spec: { kind: "number" } },
    { name: "job", spec: { kind: "category" } },
    { name: "contact", spec: { kind: "category" } },
    { name: "married", spec: { kind: "boolean" } },
    { name: "constant", spec: { kind: "number" } },
  ],
  label: task === "regression" ? { kind: "number" } : task === "binary" ? { kind: "boolean" } : { kind: "category" },
});

const JOBS = ["admin", "services", "retired", "student", "blue-collar", "self employed", "Ärztin"];

function makeRows(count: number, seed: number, withUnseen: boolean): Features[] {
  const random = createRandom(seed);
  const missing = (value: number | string | boolean) => (random.nextFloat() < 0.08 ? null : value);
  return Array.from({ length: count }, () => ({
    amount: missing((random.nextFloat() - 0.3) * 10_000),
    age: missing(random.nextInt(80)),
    job: missing(withUnseen && random.nextFloat() < 0.1 ? "never seen" : (JOBS[random.nextInt(JOBS.length)] as string)),
    contact: withUnseen && random.nextFloat() < 0.1 ? null : random.nextFloat() < 0.5 ? "cell" : "phone",
    married: missing(random.nextFloat() < 0.4),
    constant: 3,
  }));
}

function targetOf(task: Task, row: Features): number {
  const job = JOBS.indexOf(String(row["job"]));
  const score = Number(row["amount"] ?? 500) / 2_000 + (job % 3) - (row["married"] === true ? 1 : 0);
  if (task === "regression") return 250 + 40 * score;
  if (task === "binary") return score > 0.5 ? 1 : 0;
  return score < 0 ? 0 : score < 1.5 ? 1 : 2;
}

const CLASSES = { binary: [false, true], multiclass: ["high", "low", "middle"], regression: [] } as const;

type RowTask = keyof typeof CLASSES;

/** A trainer fitted on rows as a run does it: those up to `train` learn, the others validate. */
async function fitRows(given: {
  readonly task: RowTask;
  readonly trainer: string;
  readonly params: object;
  readonly schema: DataSchema;
  readonly rows: readonly Features[];
  readonly target: Float64Array;
  readonly train: number;
}) {
  const { task, schema, rows, target } = given;
  const trainer = findTrainer(given.trainer);
  const frame = frameFromFeatures(schema, rows);
  const all = Uint32Array.from({ length: rows.length }, (_, i) => i);
  const classes = CLASSES[task];
  const preparation = fitPreparation({ frame, rows: all, input: trainer.input, classes, wide: schema.features });
  const weights = await fitOnDataset({
    task,
    trainer,
    params: trainer.resolveParams(given.params as never),
    seed: 3,
    dataset: { frame, target, classes, rows: rows.length } as never,
    preparation,
    train: all.subarray(0, given.train),
    validation: all.subarray(given.train),
    folder: "",
    signal: new AbortController().signal,
    onPoint: async () => {},
  });
  return { task, classes, preparation, weights };
}

function train(task: RowTask, trainer: string, params: object) {
  const rows = makeRows(TRAIN_ROWS, 1, false);
  const target = Float64Array.from(rows, (row) => targetOf(task, row));
  return fitRows({ task, trainer, params, schema: schemaOf(task), rows, target, train: 1_600 });
}

function manifestOf(task: Task, classes: readonly (string | boolean)[], threshold?: number) {
  return {
    model: "m",
    task,
    classes,
    modelHash: "h",
    engine: { node: "20", retrain: "0" },
    ...(threshold === undefined ? {} : { threshold }),
  } as never;
}

async function runOnnx(
  bytes: Uint8Array,
  preparation: Preparation,
  rows: readonly Features[],
  wide: Readonly<Record<string, { readonly size: number; readonly values: Float32Array }>> = {},
) {
  const { Tensor, InferenceSession } = await loadRuntime();
  const session = await InferenceSession.create(bytes, {});
  const dims = [rows.length, 1];
  const feeds = Object.fromEntries(
    preparation.features.map(({ name, kind }) => {
      const values = rows.map((row) => row[name] ?? null);
      if (kind === "category")
        return [
          name,
          new Tensor(
            "string",
            values.map((one) => one ?? ""),
            dims,
          ),
        ];
      return [
        name,
        new Tensor(
          "float32",
          Float32Array.from(values, (one) => (one === null ? Number.NaN : Number(one))),
          dims,
        ),
      ];
    }),
  );
  for (const [name, { size, values }] of Object.entries(wide))
    feeds[name] = new Tensor("float32", values, [rows.length, size]);
  return session.run(feeds, undefined as never);
}

type Case = readonly [RowTask, string, object];
const CASES: readonly Case[] = [
  ["binary", "gbdt", { epochs: 30 }],
  ["binary", "gbdt", { epochs: 12, grow: "depth", maxDepth: 4 }],
  ["multiclass", "gbdt", { epochs: 10 }],
  ["regression", "gbdt", { epochs: 30 }],
  ["regression", "gbdt", { epochs: 10, loss: "poisson" }],
  ["binary", "linear", {}],
  ["multiclass", "linear", {}],
  ["regression", "linear", {}],
  ["binary", "mlp", { epochs: 3, hidden: [16] }],
  ["multiclass", "mlp", { epochs: 3, hidden: [12, 8], activation: "tanh" }],
  ["regression", "mlp", { epochs: 3, hidden: [16] }],
  ["binary", "majority", {}],
  ["multiclass", "majority", {}],
  ["regression", "mean", {}],
  ["regression", "last-value", {}],
];

describe("exported ONNX models", () => {
  it.each(CASES)("a %s model of %s %o answers like ours on 10,000 rows", async (task, name, params) => {
    const { classes, preparation, weights } = await train(task, name, params);
    const threshold = task === "binary" ? 0.37 : undefined;
    const bytes = exportOnnx({ manifest: manifestOf(task, classes, threshold), preparation, weights });
    const rows = makeRows(CHECKED_ROWS, 2, true);
    const outputs = await runOnnx(bytes, preparation, rows);
    const ours = createPredictor({
      task,
      classes,
      preparation,
      weights,
      ...(threshold === undefined ? {} : { threshold }),
    });
    const answers = (task === "regression" ? outputs["value"] : outputs["probabilities"])?.data as Float64Array;
    const decisions = (outputs["decision"]?.data ?? []) as ArrayLike<unknown>;
    const width = Math.max(1, classes.length);
    expect(answers.length).toBe(CHECKED_ROWS * width);
    let worst = 0;
    let otherDecisions = 0;
    rows.forEach((row, i) => {
      const { scores, decision } = ours.predictRow(row);
      scores.forEach((score, k) => {
        const scale = task === "regression" ? Math.max(1, Math.abs(score)) : 1;
        worst = Math.max(worst, Math.abs((answers[i * width + k] as number) - score) / scale);
      });
      if (task === "regression") return;
      const said = decisions[i];
      if (String(task === "binary" ? Boolean(said) : said) !== String(decision)) otherDecisions++;
    });
    expect(worst).toBeLessThan(1e-5);
    expect(otherDecisions).toBe(0);
  });

  it("a model without a tree answers with its start", async () => {
    const { preparation, classes } = await train("binary", "gbdt", { epochs: 1 });
    const none = new Int32Array(0);
    const weights: TrainedWeights = {
      trainer: "gbdt",
      shape: { task: "binary" },
      arrays: {
        start: Float32Array.of(0.5),
        roots: none,
        nodes: none,
        sets: none,
        gains: new Float32Array(0),
        counts: none,
      },
      bestEpoch: 0,
    };
    const bytes = exportOnnx({ manifest: manifestOf("binary", classes), preparation, weights });
    const { probabilities } = await runOnnx(bytes, preparation, makeRows(5, 1, true));
    expect(probabilities?.data[1]).toBeCloseTo(1 / (1 + Math.exp(-0.5)), 6);
    expect(probabilities?.dims).toEqual([5, 2]);
  });

  it.each([
    ["binary", "linear", {}],
    ["binary", "gbdt", { epochs: 8, minChildWeight: 1 }],
    ["multiclass", "mlp", { epochs: 3, hidden: [8] }],
  ] as const)(
    "a %s model of %s with a text answers like ours when it is given counted terms",
    async (task, name, params) => {
      const shape = { buckets: 96, words: 2, characters: 4 };
      const schema: DataSchema = {
        ...schemaOf(task),
        features: [...schemaOf(task).features.slice(0, 3), { name: "note", spec: { kind: "text", ...shape } }],
      };
      const random = createRandom(21);
      const parts = ["refund", "my money", "Ärger", "ＦＵＬＬ width", "thanks", "again and again", "#42", ""];
      const rows = makeRows(900, 6, true).map((row) => {
        const note = Array.from({ length: random.nextInt(6) }, () => parts[random.nextInt(parts.length)]).join(" ");
        return { ...row, note: random.nextInt(15) === 0 ? null : note };
      });
      const target = Float64Array.from(rows, ({ note }) => (note?.includes("refund") === true ? 1 : 0));
      const given = { task, trainer: name, params, schema, rows, target, train: 800 };
      const { classes, preparation, weights } = await fitRows(given);
      const manifest = manifestOf(task, classes, task === "binary" ? 0.5 : undefined);
      expect(() => exportOnnx({ manifest, preparation, weights })).toThrow(
        expect.objectContaining({ code: "EXPORT_UNSUPPORTED", remedy: expect.stringContaining("onnx-counts") }),
      );
      const bytes = exportOnnx({ manifest, preparation, weights }, { texts: "counts" });
      const values = new Float32Array(rows.length * shape.buckets);
      rows.forEach(({ note }, i) => {
        if (note === null) values.fill(Number.NaN, i * shape.buckets, (i + 1) * shape.buckets);
        else values.set(countTerms(note, shape), i * shape.buckets);
      });
      const { probabilities } = await runOnnx(bytes, preparation, rows, { note: { size: shape.buckets, values } });
      const ours = createPredictor({ task, classes, preparation, weights });
      let worst = 0;
      rows.forEach((row, i) =>
        ours.predictRow(row).scores.forEach((score, k) => {
          worst = Math.max(worst, Math.abs((probabilities?.data[i * classes.length + k] as number) - score));
        }),
      );
      expect(worst).toBeLessThan(1e-5);
    },
  );

  it("counts terms as the page says how to", () => {
    // Written out once more, from the words of docs/trainers.md alone.
    const hash = (term: string, seed: number) => {
      let h = BigInt((0x811c9dc5 ^ seed) >>> 0);
      const mask = 0xffffffffn;
      for (let i = 0; i < term.length; i++) h = ((h ^ BigInt(term.charCodeAt(i))) * 0x01000193n) & mask;
      h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
      h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
      return h ^ (h >> 16n);
    };
    const expected = new Float32Array(64);
    const terms: [string, number][] = [
      ["never", 1],
      ["never again", 1],
      ["again", 1],
      ...[" ne", "nev", "eve", "ver", "er ", " ag", "aga", "gai", "ain", "in "].map((run): [string, number] => [
        run,
        2,
      ]),
    ];
    for (const [term, seed] of terms) {
      const h = hash(term, seed);
      const bucket = Number((h >> 1n) % 64n);
      expected[bucket] = (expected[bucket] as number) + ((h & 1n) === 0n ? 1 : -1);
    }
    expect(countTerms("NEVER, again!", { buckets: 64, words: 2, characters: 3 })).toEqual(expected);
  });

  it.each([
    ["binary", "linear", {}],
    ["binary", "gbdt", { epochs: 8 }],
    ["regression", "mlp", { epochs: 3, hidden: [8] }],
  ] as const)("a %s model of %s with a vector and an image answers like ours", async (task, name, params) => {
    const schema: DataSchema = {
      ...schemaOf(task),
      features: [
        ...schemaOf(task).features.slice(0, 3),
        { name: "place", spec: { kind: "vector", size: 5 } },
        { name: "photo", spec: { kind: "image", width: 3, height: 2, channels: 1 } },
      ],
    };
    const random = createRandom(9);
    const wide = (count: number) =>
      makeRows(count, 4, true).map((row) => {
        const place = Float32Array.from({ length: 5 }, () => random.nextFloat() * 40 - 20);
        const photo = Uint8Array.from({ length: 6 }, () => random.nextInt(256));
        const isMissing = random.nextFloat() < 0.1;
        const features = {
          ...row,
          place: isMissing ? null : encodeVector(place),
          photo: isMissing ? null : encodeImage(photo),
        };
        return { features, place: isMissing ? undefined : place, photo: isMissing ? undefined : photo };
      });
    const rows = wide(600);
    const target = Float64Array.from(rows, ({ place }) => {
      const sum = (place?.[0] ?? 0) + (place?.[1] ?? 0);
      return task === "binary" ? (sum > 0 ? 1 : 0) : sum;
    });
    const { classes, preparation, weights } = await fitRows({
      task,
      trainer: name,
      params,
      schema,
      rows: rows.map(({ features }) => features),
      target,
      train: 500,
    });
    const bytes = exportOnnx({
      manifest: manifestOf(task, classes, task === "binary" ? 0.5 : undefined),
      preparation,
      weights,
    });
    const asked = wide(2_000);
    const flat = (pick: (row: (typeof asked)[number]) => ArrayLike<number> | undefined, size: number) => ({
      size,
      values: Float32Array.from(
        asked.flatMap((row) => Array.from(pick(row) ?? new Float32Array(size).fill(Number.NaN))),
      ),
    });
    const more = { place: flat(({ place }) => place, 5), photo: flat(({ photo }) => photo, 6) };
    const outputs = await runOnnx(
      bytes,
      preparation,
      asked.map(({ features }) => features),
      more,
    );
    const answers = (task === "regression" ? outputs["value"] : outputs["probabilities"])?.data as Float64Array;
    const ours = createPredictor({ task, classes, preparation, weights });
    let worst = 0;
    asked.forEach(({ features }, i) => {
      ours.predictRow(features).scores.forEach((score, k, { length }) => {
        worst = Math.max(worst, Math.abs((answers[i * length + k] as number) - score) / Math.max(1, Math.abs(score)));
      });
    });
    expect(worst).toBeLessThan(1e-5);
  });

  it("refuses texts, and says why", async () => {
    const { preparation, weights } = await train("binary", "majority", {});
    const wide = [{ name: "note", kind: "text" }] as never;
    const act = () =>
      exportOnnx({ manifest: manifestOf("binary", [false, true]), preparation: { ...preparation, wide }, weights });
    expect(act).toThrowError(
      /"note" is a text, whose words are folded and hashed into columns; ONNX has operators for neither/,
    );
  });

  it("refuses a trainer it cannot write, naming those it can", async () => {
    const { preparation } = await train("binary", "majority", {});
    const weights = { trainer: "abacus", shape: {}, arrays: {}, bestEpoch: 1 };
    const act = () => exportOnnx({ manifest: manifestOf("binary", [false, true]), preparation, weights });
    expect(act).toThrowError(expect.objectContaining({ code: "EXPORT_UNSUPPORTED" }));
    expect(act).toThrowError(/gbdt, linear, mlp, .*forecast, matrixFactorization, popularity can/);
  });
});
