/**
 * Versions between servers: one signed file out, one in. An imported version is a candidate like any other: it is loaded, probed,
 * registered, and judged by this server's own gates on this server's own held-out rows before it can go live.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { definitionRevision } from "../config/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import {
  type DefinitionRevision,
  fail,
  type Json,
  type JsonObject,
  sha256Hex,
  uuidV7,
  type VersionRecord,
} from "../core/index.ts";
import { ALL_TRAINERS } from "../learn/index.ts";
import {
  ARTIFACT_FORMAT,
  loadArtifact,
  makeSigningKey,
  type Manifest,
  packVersion,
  type SigningKey,
  signingKeyOf,
  type UnpackedVersion,
  unpackVersion,
} from "../model/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import { readEvaluation } from "./evaluation.ts";
import { waitForGate } from "./held.ts";
import { requireVersion } from "./promote.ts";

const FORMAT = 1;
// By the package's own name, so the same line works from the sources and from the built files.
const own = createRequire(import.meta.url)("retrain/package.json") as { readonly version: string };

/** What `version.json` holds; parsed from a file whose signature is trusted. */
interface VersionDescription {
  readonly format: number;
  readonly model: string;
  readonly version: string;
  readonly record: Pick<
    VersionRecord,
    | "artifact"
    | "createdAt"
    | "trainer"
    | "strategy"
    | "datasetHash"
    | "datasetRows"
    | "trainedThrough"
    | "gate"
    | "metrics"
  >;
  readonly definition: DefinitionRevision;
  readonly evaluation: Json;
  readonly dependencies: {
    readonly retrain: string;
    readonly node: string;
    readonly artifactFormat: number;
    readonly trainer: string;
  };
}

export async function signingKey(directory: string): Promise<SigningKey> {
  const path = join(directory, "keys", "signing.pem");
  const stored = await readFile(path, "utf8").catch(() => undefined);
  if (stored !== undefined) return signingKeyOf(stored);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const made = makeSigningKey();
  // `wx`: of two that start together the first one's key stays.
  await writeFile(path, made.privatePem, { mode: 0o600, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  return signingKeyOf(await readFile(path, "utf8"));
}

export async function exportVersion(context: LoopContext, model: string, name: string): Promise<Uint8Array> {
  modelSpec(context, model);
  const record = await requireVersion(context, model, name);
  const prefix = `artifacts/${record.artifact}/`;
  const files = new Map<string, Uint8Array>();
  for (const key of (await context.objects.list(prefix.slice(0, -1))).toSorted()) {
    const file = key.slice(prefix.length);
    if (file !== "complete.json") files.set(`artifact/${file}`, await context.objects.get(key));
  }
  const definition = await context.store.registry.definition(model, record.definitionRevision);
  const manifest = JSON.parse(
    Buffer.from(files.get("artifact/manifest.json") ?? []).toString("utf8") || "null",
  ) as Manifest | null;
  if (manifest === null || definition === undefined) {
    throw fail("NOT_FOUND", {
      message: `The artifact or definition of ${model} ${name} is no longer kept.`,
      remedy: "Raise storage.keep.versions to keep older versions whole.",
    });
  }
  const description: VersionDescription = {
    format: FORMAT,
    model,
    version: name,
    record: {
      artifact: record.artifact,
      createdAt: record.createdAt,
      trainer: record.trainer,
      strategy: record.strategy,
      datasetHash: record.datasetHash,
      datasetRows: record.datasetRows,
      trainedThrough: record.trainedThrough,
      gate: record.gate,
      metrics: record.metrics,
    },
    definition,
    evaluation: ((await readEvaluation(context, record.gateRunId ?? record.runId)) ?? null) as unknown as Json,
    dependencies: { ...manifest.engine, artifactFormat: manifest.format, trainer: manifest.trainer },
  };
  return packVersion(description as unknown as JsonObject, files, await signingKey(context.directory));
}

export async function importVersion(
  context: LoopContext,
  model: string,
  archive: Uint8Array,
  actor: string,
): Promise<{ readonly version: VersionRecord; readonly signedBy: string }> {
  const spec = modelSpec(context, model);
  const { publicKey } = await signingKey(context.directory);
  const unpacked = unpackVersion(archive, [publicKey, ...context.spec.imports.trust]);
  const description = unpacked.description as unknown as VersionDescription;
  checkDependencies(description);
  const read = async (name: string) => unpacked.files.get(`artifact/${name}`) ?? new Uint8Array(0);
  const loaded = await loadArtifact(read, description.record.artifact, context.modelHost);
  // It was only tried; the version is opened again when it serves.
  loaded.close?.();
  const { manifest } = loaded;
  checkDefinition(spec, description, manifest);
  await storeArtifact(context, unpacked, description.record.artifact);
  const version = await register(context, spec, description, unpacked.publicKey);
  await context.store.settings.audit({
    at: context.worldClock.now(),
    actor,
    action: "version.import",
    subject: `${model}/${version.name}`,
    details: { from: `${description.model} ${description.version}`, signedBy: unpacked.publicKey },
  });
  context.emit("version.registered", model, { version: version.name, runId: version.runId, gate: "hold" });
  if (version.role === null && version.gateRunId === undefined) {
    const champion = (await context.store.registry.champion(model))?.name ?? null;
    const reason = `${version.name} was imported (${description.model} ${description.version} there) and is judged by the gates of this server.`;
    await waitForGate(context, {
      model,
      version: version.name,
      definitionRevision: definitionRevision(spec),
      champion,
      why: "imported",
      reason,
    });
  }
  return { version, signedBy: unpacked.publicKey };
}

function refused(problems: readonly string[], remedies: readonly string[]) {
  return fail("IMPORT_REFUSED", { message: problems.join(" "), remedy: remedies.join(" ") });
}

const minorOf = (version: string) => version.split(".").slice(0, 2).map(Number) as [number, number];

/** Every difference is told at once, each with what to do about it. */
function checkDependencies({ format, dependencies }: VersionDescription): void {
  const problems: string[] = [];
  const remedies: string[] = [];
  const differs = (problem: string, remedy: string) => {
    problems.push(problem);
    remedies.push(remedy);
  };
  const [major, minor] = minorOf(dependencies.retrain);
  const [ownMajor, ownMinor] = minorOf(own.version);
  if (major > ownMajor || (major === ownMajor && minor > ownMinor)) {
    differs(
      `The version was made by retrain ${dependencies.retrain}; this server runs ${own.version}.`,
      `Install retrain ${dependencies.retrain} or newer here.`,
    );
  }
  if (format !== FORMAT || dependencies.artifactFormat !== ARTIFACT_FORMAT) {
    differs(
      `The file has the format ${format} with an artifact of format ${dependencies.artifactFormat}; this server reads ${FORMAT} and ${ARTIFACT_FORMAT}.`,
      "Run the same release of retrain on both servers.",
    );
  }
  if (!ALL_TRAINERS.some(({ name }) => name === dependencies.trainer)) {
    differs(
      `The version was trained by "${dependencies.trainer}", which this server does not have.`,
      `Install a release of retrain with the trainer "${dependencies.trainer}".`,
    );
  }
  if (problems.length > 0) throw refused(problems, remedies);
}

interface Difference {
  readonly problem: string;
  readonly remedy: string;
}

/** The rows this server gets must be those the version was made for. Gates and triggers may differ: they are this server's own. */
function checkDefinition(spec: ModelSpec, { definition }: VersionDescription, manifest: Manifest): void {
  const { schema } = spec;
  const { label } = schema;
  const classes = label.kind === "category" ? label.categories : undefined;
  const unknown = classes === undefined ? [] : manifest.classes.filter((one) => !classes.includes(String(one)));
  const names = unknown.map((one) => JSON.stringify(one)).join(", ");
  const task = {
    problem: `its task is ${manifest.task}, here it is ${schema.task}`,
    remedy: `Import it into a model of the task "${manifest.task}".`,
  };
  const categories = {
    problem: `it answers ${names}, which is no category here`,
    remedy: `Add ${names} to the categories of the label here.`,
  };
  const found: readonly Difference[] = [
    ...(manifest.task === schema.task ? [] : [task]),
    ...featureDifferences(spec, manifest),
    ...(unknown.length === 0 ? [] : [categories]),
  ];
  if (found.length === 0) return;
  const problems = found.map(({ problem }) => problem).join("; ");
  throw refused(
    [`The version does not fit the definition of ${spec.name} on this server: ${problems}.`],
    [
      ...found.map(({ remedy }) => remedy),
      `The definition here is then as the version's (revision ${definition.revision}); or train the version under the definition of this server.`,
    ],
  );
}

function featureDifferences({ name: model, schema }: ModelSpec, manifest: Manifest): readonly Difference[] {
  const here = new Map(schema.features.map((feature) => [feature.name, feature.spec.kind]));
  const wanted = manifest.signature.features;
  const needed = wanted.flatMap(({ name, kind }): readonly Difference[] => {
    const own = here.get(name);
    if (own === kind) return [];
    if (own === undefined) {
      return [
        {
          problem: `it needs the feature "${name}" (${kind}), which is not defined here`,
          remedy: `Add "${name}" to the features of ${model} as f.${kind}.`,
        },
      ];
    }
    const remedy = `Define "${name}" here as f.${kind}, as it was trained.`;
    return [{ problem: `its feature "${name}" is a ${kind}, here it is a ${own}`, remedy }];
  });
  const known = new Set(wanted.map(({ name }) => name));
  const more = [...here.keys()].filter((name) => !known.has(name));
  return [
    ...needed,
    ...more.map((name) => ({
      problem: `it does not know the feature "${name}"`,
      remedy: `Take "${name}" out of the features here, or train the version with it.`,
    })),
  ];
}

async function storeArtifact(context: LoopContext, { files }: UnpackedVersion, artifact: string): Promise<void> {
  const folder = join(context.directory, "jobs", `import-${uuidV7(context.worldClock.now())}`);
  await mkdir(folder, { recursive: true });
  try {
    for (const [name, content] of files) await writeFile(join(folder, name.slice("artifact/".length)), content);
    await context.objects.putFolder(`artifacts/${artifact}`, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function register(
  context: LoopContext,
  spec: ModelSpec,
  description: VersionDescription,
  signedBy: string,
): Promise<VersionRecord> {
  const { registry } = context.store;
  const { record, definition } = description;
  await registry.saveDefinition({ ...definition, model: spec.name });
  // Not a run of this server; the same for the same artifact, so a second import finds the first.
  const runId = `import-${sha256Hex(`${spec.name}\n${record.artifact}`).slice(0, 32)}`;
  if (description.evaluation !== null) {
    await context.objects.put(`runs/${runId}/evaluation.json`, Buffer.from(JSON.stringify(description.evaluation)));
  }
  return registry.register(
    {
      ...record,
      model: spec.name,
      runId,
      definitionRevision: definition.revision,
      imported: { model: description.model, version: description.version, signedBy, at: context.worldClock.now() },
      gate: {
        outcome: "hold",
        reason: `Imported; the server it comes from said "${record.gate.outcome}". This one has not judged it yet.`,
        checks: record.gate.checks,
      },
    },
    0,
  );
}
