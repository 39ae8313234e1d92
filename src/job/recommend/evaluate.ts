/**
 * `evaluate` of a recommender: candidate, champion and popularity make a slate for every user of the holdout, knowing what was
 * known when it began, and are judged by what the user took afterwards. Comparisons are paired by user.
 */
import type { EvaluationReport, JsonObject, RecommendEvaluation } from "../../core/index.ts";
import { asRetrainError, fail, plural, systemClock } from "../../core/index.ts";
import type { JobControl } from "../../core/job-child.ts";
import type { Dataset, Splits } from "../../data/index.ts";
import { countLooks, evaluateCandidate } from "../../evaluate/index.ts";
import { createRecommender, popularity, type Recommender } from "../../learn/index.ts";
import { createPredictor, type Probe, recommendProbe } from "../../model/index.ts";
import { ndcgRows } from "../../stats/index.ts";
import { seenShares, unseenByChampion } from "../compare.ts";
import { loadDataset, readArtifactFolder, readPrepared, readTrained } from "../folder.ts";
import { type JobInput, parseJobInput } from "../input.ts";
import { writeHistoryVersion } from "../write-version.ts";
import { foldNewItems, type HeldUser, type Questions, questionsOf, slateOf, type Slates, slatesOf } from "./slates.ts";
import { fitRecommendDataset, recommendTrainer } from "./train.ts";

const PROBES = 5;
const PROBE_HISTORY = 50;
/** Users kept for looking at, and items of their history. */
const MAX_EXAMPLES = 5;
const MAX_EXAMPLE_ITEMS = 12;
/** Slates timed one by one: enough to be past the first, uncompiled calls. */
const TIMED_SLATES = 200;

export async function evaluateRecommend(raw: JsonObject, control: JobControl): Promise<JsonObject> {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const { splits, preparation, state } = await readPrepared(input.folder, dataset);
  const { weights } = await readTrained(input.folder);
  const champion = await readChampion(input);
  const judged = unseenByChampion(splits.holdout, champion?.artifact, dataset, input);
  const questions = questionsOf(spec, dataset, historyRows(dataset, splits, judged), judged);
  if (questions.users.length === 0)
    throw fail("DATASET_EMPTY", {
      message: `None of ${plural(judged.length, "held-out interaction")} is a user's first with its item, so no slate can be judged.`,
      remedy: "Wait for interactions with items that are new to their users, or raise `data.holdout.share`.",
    });
  const candidate = createRecommender(weights);
  const baselineWeights = await fitRecommendDataset({
    spec,
    trainer: popularity.name,
    params: {},
    seed: input.seed,
    dataset,
    splits,
    signal: control.signal,
    onPoint: async () => {},
  });
  const own = slatesOf(candidate, questions);
  const theirs = champion?.session === undefined ? undefined : championSlates(champion.session, questions);
  const popular = slatesOf(createRecommender(baselineWeights), questions);
  const report: EvaluationReport = {
    ...evaluateCandidate({
      task: "recommend",
      classCount: questions.k,
      labels: Float64Array.from(questions.users, ({ taken }) => taken.length),
      candidate: own.relevance,
      ...(theirs === undefined ? {} : { champion: theirs.relevance }),
      ...(theirs === undefined || input.championVersion === undefined
        ? {}
        : { championVersion: input.championVersion }),
      baseline: { trainer: popularity.name, scores: popular.relevance },
      gatedMetrics: input.gatedMetrics,
      slices: [],
      seed: input.seed,
    }),
    holdout: { from: splits.holdoutFrom, to: splits.holdoutTo, rows: judged.length },
    ...measureSlates(candidate, questions),
    looks: countLooks(seenShares(input.earlierLooks, dataset, judged)),
    recommend: describeRecommend({ questions, own, theirs, popular, candidate }),
  };
  const predictor = createPredictor({ task: "recommend", classes: [], preparation, weights });
  const rows = Uint32Array.from(questions.rows, ({ row }) => row);
  const places = Float64Array.from(questions.rows, ({ user, item }) => {
    const slate = own.slates[user] as Slates["slates"][number];
    return slate.findIndex(({ index }) => candidate.items[index] === item) + 1;
  });
  const written = await writeHistoryVersion(
    {
      held: { input, dataset, rows, predictor, scores: places },
      splits,
      state,
      final: { weights, preparation, predictor },
      trainer: recommendTrainer(spec.trainer.name),
      probes: makeProbes(questions, (features) => predictor.predictRow(features)),
      report,
    },
    control.signal,
  );
  return {
    ...written,
    ...(champion?.skipped === undefined ? {} : { championSkipped: champion.skipped }),
    holdoutRows: judged.length,
    holdoutSkippedRows: splits.holdout.length - judged.length,
  };
}

/** Everything that was known when the judged rows begin: what trained, and held-out rows that judge nobody. */
function historyRows(dataset: Dataset, splits: Splits, judged: Uint32Array): Uint32Array {
  const begin = judged.reduce((first, row) => Math.min(first, row), dataset.rows);
  return Uint32Array.from({ length: begin }, (_, row) => row).filter((row) => splits.assignment[row] !== 0);
}

/** A champion of another trainer than ours, or a broken one, does not fail the run: the gate then cannot tell, and says so. */
async function readChampion(input: JobInput) {
  if (input.championFolder === undefined) return undefined;
  try {
    const artifact = await readArtifactFolder(input.championFolder);
    if (artifact.manifest.task !== "recommend") return { skipped: "The champion is no recommender." };
    return { artifact, session: createRecommender(artifact.weights) };
  } catch (error) {
    return { skipped: asRetrainError(error).message };
  }
}

function championSlates(session: Recommender, questions: Questions): Slates {
  foldNewItems(
    session,
    questions.users.map(({ history }) => history),
  );
  return slatesOf(session, questions);
}

/** How long it takes to solve a user and rank all items for it. */
function measureSlates(session: Recommender, { users, k }: Questions): Pick<EvaluationReport, "predictMicroseconds"> {
  const warm = users.filter(({ history }) => history.length > 0).slice(0, 50);
  if (warm.length === 0) return {};
  const times: number[] = [];
  for (let i = 0; i < TIMED_SLATES + warm.length; i++) {
    const started = systemClock.monotonicMs();
    slateOf(session, warm[i % warm.length] as HeldUser, k);
    if (i >= warm.length) times.push((systemClock.monotonicMs() - started) * 1000);
  }
  times.sort((left, right) => left - right);
  return { predictMicroseconds: times[Math.floor(times.length / 2)] as number };
}

const HISTORY_PARTS = [
  ["none", 0, 0],
  ["1–5", 1, 5],
  ["6–20", 6, 20],
  ["21–100", 21, 100],
  ["over 100", 101, Number.POSITIVE_INFINITY],
] as const;

function describeRecommend(parts: {
  readonly questions: Questions;
  readonly own: Slates;
  readonly theirs: Slates | undefined;
  readonly popular: Slates;
  readonly candidate: Recommender;
}): RecommendEvaluation {
  const { questions, own, theirs, popular, candidate } = parts;
  const { users, k, repeated, rows } = questions;
  const labels = Float64Array.from(users, ({ taken }) => taken.length);
  const ndcg = ndcgRows({ labels, scores: own.relevance, classCount: k });
  const naive = ndcgRows({ labels, scores: popular.relevance, classCount: k });
  const meanOf = (values: ArrayLike<number>, places: readonly number[]) =>
    places.reduce((sum, place) => sum + (values[place] as number), 0) / places.length;
  const hits = Float64Array.from(users, (_, i) =>
    own.relevance.subarray(i * k, (i + 1) * k).some((one) => one > 0) ? 1 : 0,
  );
  const warm = users.flatMap(({ history }, i) => (history.length > 0 ? [i] : []));
  const step = Math.max(1, Math.floor(warm.length / MAX_EXAMPLES));
  return {
    method: candidate.method,
    k,
    users: users.length,
    coldUsers: users.length - warm.length,
    catalog: candidate.trainedItems,
    interactions: rows.length,
    repeated,
    coverage: {
      candidate: own.coverage,
      ...(theirs === undefined ? {} : { champion: theirs.coverage }),
      baseline: popular.coverage,
    },
    byHistory: HISTORY_PARTS.flatMap(([history, from, to]) => {
      const places = users.flatMap(({ history: { length } }, i) => (length >= from && length <= to ? [i] : []));
      if (places.length === 0) return [];
      return [
        {
          history,
          users: places.length,
          ndcg: meanOf(ndcg, places),
          hitRate: meanOf(hits, places),
          baseline: meanOf(naive, places),
        },
      ];
    }),
    examples: warm
      .filter((_, i) => i % step === 0)
      .slice(0, MAX_EXAMPLES)
      .map((place) => {
        const { user, history, taken } = users[place] as HeldUser;
        return {
          user,
          history: history.slice(-MAX_EXAMPLE_ITEMS).map(([item]) => item),
          slate: (own.slates[place] ?? []).map(({ index, score }) => ({
            item: candidate.items[index] as string,
            score,
            hit: taken.includes(candidate.items[index] as string),
          })),
          taken: taken.slice(0, MAX_EXAMPLE_ITEMS),
        };
      }),
  };
}

/** Users with their answers, asked again whenever the version is loaded. */
function makeProbes(
  { users }: Questions,
  predictRow: (features: Probe["features"]) => { readonly scores: number[] },
): Probe[] {
  const step = Math.max(1, Math.floor(users.length / PROBES));
  return users
    .filter((_, i) => i % step === 0)
    .slice(0, PROBES)
    .map(({ history }) => {
      const features = recommendProbe(history.slice(-PROBE_HISTORY));
      return { features, scores: predictRow(features).scores };
    });
}
