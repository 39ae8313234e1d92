import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalJson, sha256Hex } from "../../src/core/index.ts";
import { buildReferenceProfile, type DataSchema, fitPreparation, frameFromFeatures } from "../../src/data/index.ts";
import { type TrainedWeights } from "../../src/learn/index.ts";
import {
  type ArtifactParts,
  createPredictor,
  decodeWeights,
  encodeWeights,
  loadArtifact,
  type Manifest,
  readArtifact,
  writeArtifact,
} from "../../src/model/index.ts";
import { TELLS_NAMES, watchSyncs } from "../storage/support/syncs.ts";

const schema: DataSchema = {
  task: "binary",
  labelColumn: "y",
  features: [
    { name: "x", spec: { kind: "number" } },
    { name: "c", spec: { kind: "category" } },
  ],
  label: { kind: "boolean" },
};
const ROWS = [
  { x: 1, c: "a" },
  { x: 2, c: "b" },
  { x: null, c: null },
  { x: 4, c: "a" },
];
const rows = Uint32Array.of(0, 1, 2, 3);
const frame = frameFromFeatures(schema, ROWS);
const preparation = fitPreparation({ frame, rows, input: "dense", classes: [false, true] });
// Columns: x, x is missing, c=a, c=b, c is missing; the intercept last.
const weights: TrainedWeights = {
  trainer: "linear",
  shape: { task: "binary", columns: 5, outputs: 1 },
  arrays: { weights: Float64Array.of(1.5, 0.25, -0.5, 2, -0.125, 0.1) },
  bestEpoch: 3,
};
const predictor = createPredictor({ task: "binary", classes: [false, true], preparation, weights, threshold: 0.6 });
const probe = { features: { x: 3, c: "b" }, scores: predictor.predictRow({ x: 3, c: "b" }).scores };

const parts: ArtifactParts = {
  manifest: {
    model: "m",
    task: "binary",
    classes: [false, true],
    signature: {
      features: [
        { name: "x", kind: "number" },
        { name: "c", kind: "category" },
      ],
      preparation: "dense",
    },
    trainer: "linear",
    params: { epochs: 3 },
    seed: 1,
    strategy: "full",
    dataset: {
      hash: "d",
      rows: 4,
      asOf: 5,
      window: {},
      trainRows: 4,
      validationRows: 1,
      holdoutRows: 1,
      trainTo: null,
    },
    definitionRevision: "r",
    threshold: 0.6,
    refit: false,
    engine: { node: "20.0.0", retrain: "0.1.0" },
  },
  weights,
  preparation,
  profile: buildReferenceProfile(frame, rows),
  probes: [probe],
  calibration: [],
};

let root: string;
let folder: string;
let hash: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-artifact-"));
  folder = join(root, "good");
  hash = (await writeArtifact(folder, parts)).artifactHash;
});
afterAll(() => rm(root, { recursive: true, force: true }));

const reader = (path: string) => (name: string) => readFile(join(path, name));
async function damaged(name: string, change: (content: Buffer) => Buffer): Promise<string> {
  const copy = await mkdtemp(join(root, "bad-"));
  await cp(folder, copy, { recursive: true });
  await writeFile(join(copy, name), change(await readFile(join(copy, name))));
  return copy;
}

/** Changes the probes and then every hash that covers them, so that only asking them can notice. */
async function withFalseProbe(): Promise<string> {
  const copy = await damaged("probes.json", () =>
    Buffer.from(canonicalJson({ probes: [{ ...probe, scores: [0.5, 0.5] }] })),
  );
  const content = await readFile(join(copy, "probes.json"));
  const manifest = JSON.parse(await readFile(join(copy, "manifest.json"), "utf8")) as Manifest;
  const files = { ...manifest.files, "probes.json": { sha256: sha256Hex(content), sizeBytes: content.byteLength } };
  await writeFile(join(copy, "manifest.json"), canonicalJson({ ...manifest, files }));
  return copy;
}

describe("an artifact", () => {
  it("reads back what was written, and answers the same", async () => {
    const artifact = await readArtifact(reader(folder), hash);
    expect(artifact.preparation).toEqual(preparation);
    expect(artifact.weights).toEqual(weights);
    const model = await loadArtifact(reader(folder), hash);
    expect(model.predictRow({ x: 3, c: "b" })).toEqual(predictor.predictRow({ x: 3, c: "b" }));
    expect(model.threshold).toBe(0.6);
  });

  it("is the same folder for the same parts", async () => {
    const again = await writeArtifact(join(root, "again"), parts);
    expect(again.artifactHash).toBe(hash);
    const names = await readdir(folder);
    expect((await readdir(join(root, "again"))).sort()).toEqual(names.sort());
  });

  it.skipIf(!TELLS_NAMES)("is on the disk once written, every file of it", async () => {
    const synced: string[] = [];
    const place = join(root, "synced");
    await watchSyncs(
      () => writeArtifact(place, parts),
      (path) => synced.push(basename(path)),
    );
    expect(synced.at(-1)).toBe("manifest.json");
    expect(synced.sort()).toEqual((await readdir(place)).sort());
  });

  it("keeps its model hash when only the engine or the dataset's name changes, and not when a weight does", async () => {
    const write = async (name: string, change: Partial<ArtifactParts>) =>
      (await writeArtifact(join(root, name), { ...parts, ...change })).modelHash;
    const own = (await writeArtifact(join(root, "own"), parts)).modelHash;
    const engine = { node: "24.0.0", retrain: "9.9.9" };
    expect(await write("engine", { manifest: { ...parts.manifest, engine } })).toBe(own);
    const moved = { ...weights, arrays: { weights: Float64Array.of(1.5, 0.25, -0.5, 2, -0.125, 0.1 + 1e-16) } };
    expect(await write("moved", { weights: moved })).not.toBe(own);
  });

  it.each(["model.bin", "model.json", "preparation.json", "profile.json", "probes.json", "calibration.json"])(
    "is refused when one bit of %s has changed",
    async (name) => {
      const flipped = await damaged(name, (content) => {
        const copy = Buffer.from(content);
        copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
        return copy;
      });
      await expect(loadArtifact(reader(flipped))).rejects.toMatchObject({
        code: "ARTIFACT_CORRUPT",
        message: expect.stringContaining(name),
      });
    },
  );

  it("is refused when a file is short, or the manifest is not the registered one or no JSON", async () => {
    const short = await damaged("model.bin", (content) => content.subarray(1));
    await expect(readArtifact(reader(short))).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
    await expect(readArtifact(reader(folder), "0".repeat(64))).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
    const garbage = await damaged("manifest.json", () => Buffer.from("{"));
    await expect(readArtifact(reader(garbage))).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
    const newer = await damaged("manifest.json", (content) =>
      Buffer.from(content.toString().replace('"format":1', '"format":2')),
    );
    await expect(readArtifact(reader(newer))).rejects.toMatchObject({ code: "ARTIFACT_UNSUPPORTED" });
  });

  it("is refused when all hashes fit but a probe is answered otherwise", async () => {
    await expect(loadArtifact(reader(await withFalseProbe()))).rejects.toMatchObject({
      code: "PROBE_MISMATCH",
      message: expect.stringContaining("probe row 1"),
    });
  });
});

describe("weights", () => {
  it("of every kind survive bit for bit, also from bytes at an odd offset", () => {
    const trained: TrainedWeights = {
      trainer: "t",
      shape: { a: 1 },
      arrays: {
        f32: Float32Array.of(0.1, -0, 3e38),
        f64: Float64Array.of(0.1, 5e-324),
        i32: Int32Array.of(-1, 2),
        u8: Uint8Array.of(1, 255, 3),
      },
      bestEpoch: 2,
    };
    const { json, binary } = encodeWeights(trained);
    const shifted = new Uint8Array(binary.length + 3);
    shifted.set(binary, 3);
    expect(decodeWeights(json, shifted.subarray(3))).toEqual(trained);
    expect(() => decodeWeights(json, binary.subarray(8))).toThrow(
      expect.objectContaining({ code: "ARTIFACT_CORRUPT" }),
    );
  });
});

describe("a prediction", () => {
  it("is traced from input to decision, the contributions adding up to the score", () => {
    const trace = predictor.trace({ x: null, c: "a" });
    // Median of 1, 2, 4 is 2; mean of 1, 2, 2, 4 is 2.25, deviation √1.1875.
    expect(trace.prepared[0]).toMatchObject({ column: "x", raw: null, filled: 2 });
    expect(trace.prepared[0]?.scaled).toBeCloseTo(-0.25 / Math.sqrt(1.1875), 6);
    const sum = trace.prepared.reduce((total, line) => total + (line.contribution ?? 0), trace.intercept ?? 0);
    expect(sum).toBeCloseTo(trace.raw?.[0] as number, 12);
    expect(trace.scores[1]).toBeCloseTo(1 / (1 + Math.exp(-sum)), 12);
    expect(trace).toMatchObject({ link: "logistic", threshold: 0.6, decision: (trace.scores[1] as number) >= 0.6 });
  });

  it("decides true from the threshold on", () => {
    const at = (threshold: number) =>
      createPredictor({ task: "binary", classes: [false, true], preparation, weights, threshold }).predictRow(
        probe.features,
      );
    const score = probe.scores[1] as number;
    expect(at(score).decision).toBe(true);
    expect(at(score + 1e-12).decision).toBe(false);
  });

  it("is the same one by one and as a batch", () => {
    const batch = predictor.scoreFrame(frame, rows);
    ROWS.forEach((row, i) => expect(predictor.predictRow(row).scores[1]).toBe(batch[i]));
  });
});
