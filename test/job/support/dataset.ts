/** Writes frozen dataset files as the snapshot step does, so that the handlers read what they read in a run. */
import { join } from "node:path";
import type { ModelSpec } from "../../../src/config/spec.ts";
import type { ExampleRow } from "../../../src/data/index.ts";
import type { DataSchema } from "../../../src/data/schema.ts";
import { createRandom } from "../../../src/core/index.ts";
import { sigmoid } from "../../../src/stats/index.ts";
import { openDuckDb } from "../../../src/job/dataset-file.ts";

const SQL = {
  number: "DOUBLE",
  category: "VARCHAR",
  boolean: "BOOLEAN",
  text: "VARCHAR",
  vector: "VARCHAR",
  image: "VARCHAR",
} as const;

function literal(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value);
}

export async function writeDatasetFile(folder: string, schema: DataSchema, rows: readonly ExampleRow[]): Promise<void> {
  const duckdb = await openDuckDb();
  const label = schema.task === "regression" ? "DOUBLE" : schema.task === "binary" ? "BOOLEAN" : "VARCHAR";
  const columns = schema.features.map(({ name, spec }) => `"f_${name}" ${SQL[spec.kind]}`);
  await duckdb.run(
    `CREATE OR REPLACE TABLE frozen (example_id VARCHAR, "at" BIGINT, received_at BIGINT, label_at BIGINT, label_received_at BIGINT, label ${label}, ${columns.join(", ")})`,
  );
  for (let from = 0; from < rows.length; from += 500) {
    const values = rows.slice(from, from + 500).map((row) => {
      const known = row.knownAt ?? row.at;
      const cells = [
        row.exampleId,
        row.at,
        known,
        known,
        known,
        row.label,
        ...schema.features.map(({ name }) => row.features[name]),
      ];
      return `(${cells.map(literal).join(", ")})`;
    });
    await duckdb.run(`INSERT INTO frozen VALUES ${values.join(", ")}`);
  }
  await duckdb.run(
    `COPY (SELECT * FROM frozen ORDER BY "at", example_id) TO ${literal(join(folder, "dataset.parquet"))} (FORMAT parquet)`,
  );
}

export const DAY = 86_400_000;

/** A customer-purchase schema of numbers, categories and booleans. */
export function customerSchema(task: "binary" | "multiclass" | "regression" = "binary", timed = true): DataSchema {
  return {
    task,
    id: "customer",
    ...(timed ? { time: "at" } : {}),
    labelColumn: "label",
    features: [
      { name: "age", spec: { kind: "number", min: 0, max: 150 } },
      { name: "balance", spec: { kind: "number" } },
      { name: "job", spec: { kind: "category" } },
      { name: "housing", spec: { kind: "boolean" } },
    ],
    label: task === "binary" ? { kind: "boolean" } : task === "multiclass" ? { kind: "category" } : { kind: "number" },
  };
}

export function customerSpec(schema: DataSchema, change: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name: "customers",
    schema,
    labelDelayMs: 0,
    threshold: { maximize: "f1" },
    trainer: { name: "linear", params: { epochs: 5 } },
    data: {
      holdout: { share: 0.25, minRows: 50, maxRows: 10_000 },
      validationShare: 0.15,
      minRows: 20,
      refit: false,
    },
    retrain: {
      when: { kind: "manual" },
      how: "full",
      cooldownMs: 0,
      maxPerDay: 10,
      stopAfterRejections: 3,
      runDurationMs: 0,
    } as unknown as ModelSpec["retrain"],
    monitors: { falseAlarms: 1, conceptDrift: { detector: "adwin", metric: "logLoss" }, dataDrift: null },
    gates: [],
    slices: ["job"],
    rollout: [],
    limits: { trainTimeoutMs: 60_000, trainMemoryBytes: 2e9 },
    seed: 7,
    ...change,
  };
}

const JOBS = ["admin.", "blue-collar", "management", "student", "retired"];

/** Seeded customers whose label follows age, balance, job and housing, one an hour; 3 % of the numbers are missing. */
export function customers(
  count: number,
  options: { seed?: number; task?: DataSchema["task"]; knownAt?: number } = {},
): ExampleRow[] {
  const random = createRandom(options.seed ?? 1);
  return Array.from({ length: count }, (_, i) => {
    const age = 20 + random.nextInt(60);
    const balance = Math.round((random.nextFloat() * 4000 - 500) * 100) / 100;
    const job = JOBS[random.nextInt(JOBS.length)] as string;
    const housing = random.nextFloat() < 0.5;
    const score = (age - 50) / 15 + balance / 1500 - (housing ? 1 : 0) + (job === "student" ? 1.5 : 0) - 1;
    const noise = random.nextFloat();
    const label =
      options.task === "regression"
        ? 100 + 20 * score + 5 * noise
        : options.task === "multiclass"
          ? score + 2 * noise < 0
            ? "low"
            : score + 2 * noise < 1.5
              ? "middle"
              : "high"
          : noise < sigmoid(score);
    return {
      exampleId: `c${(options.seed ?? 1) * 1_000_000 + i}`,
      at: i * 3_600_000,
      ...(options.knownAt === undefined ? {} : { knownAt: options.knownAt }),
      label,
      features: {
        age: random.nextFloat() < 0.03 ? null : age,
        balance,
        job: random.nextFloat() < 0.02 ? null : job,
        housing,
      },
    };
  });
}
