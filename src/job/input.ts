/** What a job is told. The parent is our own process, so the fields are trusted after one look at their kinds. */
import { fail, sha256Hex, canonicalJson } from "../core/index.ts";
import type { Instant, JsonObject, TrainingStrategy } from "../core/index.ts";
import { CHECKPOINT_EVERY_MS } from "./checkpoint.ts";
import type { FeatureGrid } from "../data/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import { gateMetrics } from "../evaluate/index.ts";

export interface JobInput {
  readonly folder: string;
  readonly spec: ModelSpec;
  readonly seed: number;
  readonly strategy: TrainingStrategy;
  readonly asOf: Instant;
  readonly baseFolder?: string;
  /** What the base is called, for messages and the manifest: `v3`, `digits@v3`. */
  readonly baseVersion?: string;
  readonly championFolder?: string;
  readonly championVersion?: string;
  readonly lastDatasetMaxReceivedAt?: Instant;
  readonly gatedMetrics: readonly string[];
  readonly definitionRevision: string;
  readonly artifactFolder?: string;
  /** The grid over which the model's rows are counted. */
  readonly profileGrid?: readonly FeatureGrid[];
  /** The held version to gate again, and how many held-out rows its last judgement asked for. */
  readonly candidateFolder?: string;
  readonly rowsWanted?: number;
  /** Time between two checkpoints of a training. */
  readonly checkpointEveryMs: number;
  /** As-of instants of earlier looks against the same champion, for the ledger. */
  readonly earlierLooks: readonly Instant[];
}

/** The last instant a date can hold: without an as-of, everything is old enough. */
const LAST_INSTANT = 8.64e15;

function text(input: JsonObject, key: string): string | undefined {
  const value = input[key];
  return typeof value === "string" ? value : undefined;
}

/** @throws INTERNAL when folder or spec are missing: parent and child come from different builds. */
export function parseJobInput(input: JsonObject): JobInput {
  const folder = text(input, "folder");
  const spec = input["spec"] as unknown as ModelSpec | undefined;
  if (folder === undefined || typeof spec !== "object") {
    throw fail("INTERNAL", {
      message: "A job came without its folder or its model.",
      remedy: "Rebuild: parent and child come from different builds.",
    });
  }
  const optional = (
    key: "baseFolder" | "baseVersion" | "championFolder" | "championVersion" | "artifactFolder" | "candidateFolder",
  ) => {
    const value = text(input, key);
    return value === undefined ? {} : { [key]: value };
  };
  const last = input["lastDatasetMaxReceivedAt"];
  return {
    folder,
    spec,
    seed: typeof input["seed"] === "number" ? input["seed"] : spec.seed,
    strategy: (text(input, "strategy") as TrainingStrategy | undefined) ?? spec.retrain.how,
    asOf: typeof input["asOf"] === "number" ? input["asOf"] : LAST_INSTANT,
    ...optional("baseFolder"),
    ...optional("baseVersion"),
    ...optional("championFolder"),
    ...optional("championVersion"),
    ...optional("artifactFolder"),
    ...optional("candidateFolder"),
    ...(typeof input["rowsWanted"] === "number" ? { rowsWanted: input["rowsWanted"] } : {}),
    ...(typeof last === "number" ? { lastDatasetMaxReceivedAt: last } : {}),
    earlierLooks: Array.isArray(input["earlierLooks"]) ? (input["earlierLooks"] as readonly Instant[]) : [],
    ...(Array.isArray(input["profileGrid"]) ? { profileGrid: input["profileGrid"] as readonly FeatureGrid[] } : {}),
    gatedMetrics: Array.isArray(input["gatedMetrics"])
      ? (input["gatedMetrics"] as readonly string[])
      : gateMetrics(spec.gates),
    checkpointEveryMs:
      typeof input["checkpointEveryMs"] === "number" ? input["checkpointEveryMs"] : CHECKPOINT_EVERY_MS,
    definitionRevision: text(input, "definitionRevision") ?? sha256Hex(canonicalJson(spec)).slice(0, 12),
  };
}
