// Durable ingest over HTTP: rows as NDJSON and CSV, acknowledged after their commit in the embedded store. The sender is another
// process. Beside it what reading the same body costs without checking or storing anything, as the floor.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSystem } from "../src/cli/compose.ts";
import { createClient } from "../src/client/index.ts";
import { readFileRows } from "../src/collect/index.ts";
import { defineConfig, defineModel, f, linear, resolveConfig, when } from "../src/config/index.ts";
import { createRandom, liveWorldClock, silentLogger, systemClock } from "../src/core/index.ts";
import { type BenchResult, median } from "./harness.ts";

const MODEL = "purchases";
const ROWS = 100_000;
const ROUNDS = 3;
const NUMBERS = Array.from({ length: 7 }, (_, i) => `x${i}`);
const CATEGORIES = ["job", "contact", "region"];
const WORDS = ["clerk", "farmer", "nurse", "teacher", "driver"];
/** Sends a file with fetch, prints the answer. */
const SENDER = `
import { openAsBlob } from "node:fs";
const [url, file, type] = process.argv.slice(1);
const started = performance.now();
const response = await fetch(url, { method: "POST", headers: { "content-type": type }, body: await openAsBlob(file) });
const answer = await response.json();
console.log(JSON.stringify({ status: response.status, answer, seconds: (performance.now() - started) / 1000 }));
`;

interface Sent {
  readonly status: number;
  readonly answer: { readonly accepted: number; readonly quarantined: number };
  readonly seconds: number;
}

async function writeRows(directory: string): Promise<{ ndjson: string; csv: string }> {
  const random = createRandom(7);
  const lines: string[] = [];
  const cells: string[] = [["id", ...NUMBERS, ...CATEGORIES, "label"].join(",")];
  for (let i = 0; i < ROWS; i++) {
    const row: Record<string, number | string | boolean> = { id: `r${i}` };
    for (const name of NUMBERS) row[name] = random.nextInt(100_000) / 100;
    for (const name of CATEGORIES) row[name] = WORDS[random.nextInt(WORDS.length)] as string;
    row["label"] = random.nextInt(2) === 1;
    lines.push(JSON.stringify(row));
    cells.push(Object.values(row).join(","));
  }
  const ndjson = join(directory, "rows.ndjson");
  const csv = join(directory, "rows.csv");
  await writeFile(ndjson, `${lines.join("\n")}\n`);
  await writeFile(csv, `${cells.join("\n")}\n`);
  return { ndjson, csv };
}

function send(url: string, file: string, type: string): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", SENDER, url, file, type], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(text) as Sent) : reject(new Error("the sender failed")),
    );
  });
}

async function rowsPerSecond(url: string, file: string, type: string): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { status, answer, seconds } = await send(`${url}/api/v1/models/${MODEL}/examples`, file, type);
    if (status !== 200 || answer.accepted !== ROWS) throw new Error(`status ${status}: ${JSON.stringify(answer)}`);
    rates.push(ROWS / seconds);
  }
  return median(rates);
}

/** What reading alone costs: the ceiling of any ingest of this body in one thread. */
async function readingRate(file: string): Promise<number> {
  const started = systemClock.monotonicMs();
  let count = 0;
  for await (const reading of readFileRows(file)) if ("row" in reading) count++;
  return count / ((systemClock.monotonicMs() - started) / 1000);
}

export async function run(): Promise<BenchResult> {
  const directory = await mkdtemp(join(tmpdir(), "retrain-bench-"));
  const model = defineModel({
    name: MODEL,
    task: "binary",
    id: "id",
    features: {
      ...Object.fromEntries(NUMBERS.map((name) => [name, f.number()])),
      ...Object.fromEntries(CATEGORIES.map((name) => [name, f.category()])),
    },
    label: f.boolean(),
    trainer: linear(),
    retrain: { when: when.manual() },
  });
  const config = defineConfig({ models: [model], storage: { dir: join(directory, "data") }, server: { port: 0 } });
  const spec = resolveConfig(config, { folder: directory });
  const files = await writeRows(directory);
  const system = await openSystem({ spec, worldClock: liveWorldClock, logger: silentLogger });
  try {
    const { url } = await system.server.listen({ host: "127.0.0.1", port: 0 });
    await createClient({ url }).models();
    const ndjson = await rowsPerSecond(url, files.ndjson, "application/x-ndjson");
    const csv = await rowsPerSecond(url, files.csv, "text/csv");
    const reading = await readingRate(files.ndjson);
    return {
      figures: [
        { name: "rows a second, NDJSON over HTTP, durable", value: ndjson, unit: "/s", atLeast: 50_000 },
        { name: "rows a second, CSV over HTTP, durable", value: csv, unit: "/s" },
        { name: "rows a second, NDJSON read and dropped", value: reading, unit: "/s" },
        { name: "durable over read", value: ndjson / reading, unit: "×" },
      ],
      notes: [`${ROWS.toLocaleString("en-US")} rows of 10 columns and a label; the sender runs on the same cores.`],
    };
  } finally {
    await system.close();
    await rm(directory, { recursive: true, force: true });
  }
}
