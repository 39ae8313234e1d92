// Twenty people label at once through the HTTP API of a server in a process of its own: how long claims and answers take, whether
// anybody is handed a task somebody else holds, and whether an acknowledged answer is ever lost.
// Options: --people=20 --seconds=60 --think=200 (ms a person looks at an item; 0 measures what the server can take).
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "../src/client/index.ts";
import { createRandom, systemClock } from "../src/core/index.ts";
import { type BenchResult, quantile } from "./harness.ts";

const MAIN = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const MODEL = "m";
const EXAMPLES = 9_000;
/** Batches of these many, and how many batches. */
const TASKS = 2_000;
const BATCHES = 4;
/** Held at once, as the labeling page does: one on the screen and five behind it. */
const HELD = 6;
const CONFIG = `import { defineConfig, defineModel, f, linear, when } from "retrain";
export default defineConfig({ models: [defineModel({ name: "${MODEL}", task: "binary", id: "id",
  features: { x: f.number(), y: f.number() }, label: f.boolean(), trainer: linear(), retrain: { when: when.manual() },
  labeling: { perDay: 0, gold: 0 } })] });
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function startServer(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [MAIN, "start", "--port", String(port)], { cwd: folder, stdio: "ignore" });
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.status === 200) return { child, url };
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    await systemClock.sleep(20);
  }
}

interface Work {
  readonly claims: number[];
  /** Each person's first: all of them at once, on a server that has not claimed anything before. */
  readonly firstClaims: number[];
  readonly answers: number[];
  /** Who was handed a task, each person once. */
  readonly handed: Map<string, Set<string>>;
  readonly acked: { readonly task: string; readonly labeler: string; readonly value: boolean }[];
  refused: number;
}

async function labelUntil(
  client: ReturnType<typeof createClient>,
  work: Work,
  one: { readonly labeler: string; readonly endMs: number; readonly thinkMs: number },
): Promise<void> {
  const { labeler, endMs, thinkMs } = one;
  const random = createRandom(Number(labeler.slice(7)) + 1);
  const timed = async <T>(list: number[], run: () => Promise<T>): Promise<T> => {
    const from = systemClock.monotonicMs();
    const result = await run();
    list.push(systemClock.monotonicMs() - from);
    return result;
  };
  let claims = work.firstClaims;
  while (systemClock.monotonicMs() < endMs) {
    const { tasks } = await timed(claims, () => client.claimTasks(MODEL, HELD, labeler));
    claims = work.claims;
    if (tasks.length === 0) return;
    for (const { id } of tasks) work.handed.set(id, (work.handed.get(id) ?? new Set()).add(labeler));
    // Half of what is held: the rest is what the next claim brings first, as on the page.
    for (const { id } of tasks.slice(0, Math.ceil(HELD / 2))) {
      if (thinkMs > 0) await systemClock.sleep(thinkMs * (0.5 + random.nextFloat()));
      const value = random.nextFloat() < 0.5;
      try {
        await timed(work.answers, () => client.answerTask(MODEL, id, { value, as: labeler }));
        work.acked.push({ task: id, labeler, value });
      } catch {
        work.refused++;
      }
    }
  }
}

/** Acknowledged answers that are not among what the server holds, and answers it holds twice. */
async function check(client: ReturnType<typeof createClient>, work: Work) {
  let lost = 0;
  let doubled = 0;
  let overClaimed = 0;
  const byTask = new Map<string, Work["acked"]>();
  for (const one of work.acked) byTask.set(one.task, [...(byTask.get(one.task) ?? []), one]);
  for (const [id, people] of work.handed) {
    const { task, annotations } = await client.task(MODEL, id);
    if (people.size > Math.max(task.needed, 1)) overClaimed++;
    for (const { labeler, value } of byTask.get(id) ?? []) {
      const own = annotations.filter((one) => one.labeler === labeler && !one.undone);
      if (own.every((one) => one.value !== value)) lost++;
      if (own.length > 1) doubled++;
    }
  }
  return { lost, doubled, overClaimed };
}

export async function run(options: Readonly<Record<string, string>> = {}): Promise<BenchResult> {
  const people = Number(options["people"] ?? 20);
  const seconds = Number(options["seconds"] ?? 60);
  const thinkMs = Number(options["think"] ?? 200);
  const folder = await mkdtemp(join(tmpdir(), "retrain-labelers-"));
  await writeFile(join(folder, "retrain.config.ts"), CONFIG);
  const { child, url } = await startServer(folder);
  try {
    const client = createClient({ url });
    const random = createRandom(7);
    const rows = Array.from({ length: EXAMPLES }, (_, i) => ({
      id: `e${i}`,
      x: random.nextFloat(),
      y: random.nextFloat(),
    }));
    for (let i = 0; i < rows.length; i += 2_000) await client.ingest(MODEL, rows.slice(i, i + 2_000));
    for (let i = 0; i < BATCHES; i++) await client.buildTasks(MODEL, { count: TASKS, strategy: "random" });
    const work: Work = { claims: [], firstClaims: [], answers: [], handed: new Map(), acked: [], refused: 0 };
    const from = systemClock.monotonicMs();
    const endMs = from + seconds * 1000;
    await Promise.all(
      Array.from({ length: people }, (_, i) => labelUntil(client, work, { labeler: `person-${i}`, endMs, thinkMs })),
    );
    const lasted = (systemClock.monotonicMs() - from) / 1000;
    const { lost, doubled, overClaimed } = await check(client, work);
    return {
      figures: [
        { name: "answers a second", value: work.acked.length / lasted, unit: "answers/s" },
        { name: "p95 of an answer", value: quantile(work.answers, 0.95), unit: "ms", atMost: 100 },
        {
          name: "p95 of a claim",
          value: quantile([...work.firstClaims, ...work.claims], 0.95),
          unit: "ms",
          atMost: 100,
        },
        { name: "p95 of a claim but each person's first", value: quantile(work.claims, 0.95), unit: "ms" },
        { name: "slowest first claim", value: Math.max(...work.firstClaims), unit: "ms" },
        { name: "median of an answer", value: quantile(work.answers, 0.5), unit: "ms" },
        { name: "tasks handed to more people than were asked", value: overClaimed, unit: "", atMost: 0 },
        { name: "acknowledged answers that are not there", value: lost, unit: "", atMost: 0 },
        { name: "answers that are there twice", value: doubled, unit: "", atMost: 0 },
        { name: "answers refused", value: work.refused, unit: "", atMost: 0 },
      ],
      notes: [
        `${people} people for ${Math.round(lasted)} s, ${thinkMs} ms an item, ${work.acked.length} answers of ${work.handed.size} tasks.`,
      ],
    };
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) => child.once("close", resolve));
    await rm(folder, { recursive: true, force: true });
  }
}
