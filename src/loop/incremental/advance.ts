/**
 * The worker's side of `how: "incremental"`: reads the log after its cursor, lets labels mature, and learns example by example.
 * What it has learned is kept with the cursor, so a restart goes on exactly where it stopped. A live version never changes: runs
 * freeze a copy.
 */
import type { ModelSpec } from "../../config/spec.ts";
import type { FoldState, Instant, JsonObject, LogCursor, Task, VersionRecord } from "../../core/index.ts";
import { LOG_START, stopPoint } from "../../core/index.ts";
import { describeTrainer, findTrainer } from "../../learn/index.ts";
import { readArtifact } from "../../model/index.ts";
import type { LoopContext } from "../context.ts";
import { readKept, writeKept } from "../kept-state.ts";
import { examplesAtMaturity, noticeLabels } from "./labelled.ts";
import { type FoldBasis, type FoldSummary, OnlineFold, parseFold } from "../../train/index.ts";

export const INCREMENTAL_FOLD = "incremental";
/** Events read at once; a page's facts are looked up together. */
const PAGE_EVENTS = 2_000;
/** Pages of one tick at most: a long history is learned over several, and nobody waits for it. */
const PAGES_PER_TICK = 25;
/** Events without a label after which the cursor is written all the same: a restart reads them again. */
const UNKEPT_EVENTS = 10_000;
/** Examples looked up and learned at once. */
const CHUNK = 500;

/** Tasks whose examples are learned one by one. */
const ROW_TASKS: ReadonlySet<Task> = new Set<Task>(["binary", "multiclass", "regression"]);

/** Whether the worker learns from every label of this model; else `incremental` is a short training on new rows. */
export function learnsPerEvent(spec: ModelSpec): boolean {
  const { retrain, schema, trainer } = spec;
  if (retrain.how !== "incremental" || schema.time === undefined || !ROW_TASKS.has(schema.task)) return false;
  return (
    describeTrainer(trainer.name).strategies.includes("incremental") && findTrainer(trainer.name).online !== undefined
  );
}

interface OpenFold {
  readonly fold: OnlineFold;
  readonly cursor: LogCursor;
  readonly foldSeq: number;
  readonly knownThrough: Instant;
  /** Events read since the cursor was written. */
  readonly unkeptEvents: number;
}
/** What this process learned last, so that a tick does not read its state again. */
const memory = new WeakMap<LoopContext, Map<string, OpenFold>>();

/** @returns when there is something to do without a new event: a label matures, or the log is not read to its end. */
export async function advanceIncremental(context: LoopContext, spec: ModelSpec, now: Instant): Promise<Instant> {
  if (!learnsPerEvent(spec)) return Number.POSITIVE_INFINITY;
  const champion = await context.store.registry.champion(spec.name);
  const basis = champion === undefined ? undefined : await basisOf(context, champion, spec);
  if (basis === undefined) return Number.POSITIVE_INFINITY;
  const open = await openFold(context, spec, basis);
  try {
    return await learnNews(context, spec, open, now);
  } catch (error) {
    // What it learned is not kept: the next tick begins at what is.
    memory.get(context)?.delete(spec.name);
    throw error;
  }
}

async function learnNews(context: LoopContext, spec: ModelSpec, open: OpenFold, now: Instant): Promise<Instant> {
  const { fold } = open;
  let { cursor, unkeptEvents } = open;
  let isBehind = true;
  let hasLearned = false;
  for (let pages = 0; pages < PAGES_PER_TICK && isBehind; pages++) {
    const read = await context.store.log.readAfter(spec.name, cursor, { limit: PAGE_EVENTS });
    const page = { events: read.events, from: cursor, labelDelayMs: spec.labelDelayMs };
    const noticed = await noticeLabels(context, spec.name, fold, page);
    unkeptEvents += read.events.length;
    cursor = read.cursor;
    isBehind = read.more;
    // What is still unread may mature before the present does.
    const learned = await learnMature(context, spec, fold, isBehind ? Math.min(now, fold.watermark) : now);
    hasLearned ||= learned + noticed > 0;
  }
  const next = { ...open, cursor, unkeptEvents };
  if (hasLearned || unkeptEvents > UNKEPT_EVENTS) await keep(context, spec.name, next, now);
  else memory.get(context)?.set(spec.name, next);
  return isBehind ? now + 1 : fold.nextMatureAt;
}

/** Learns what is mature at the instant, until `most` examples are learned. @returns how many examples were looked at */
export async function learnMature(
  context: LoopContext,
  spec: ModelSpec,
  fold: OnlineFold,
  until: Instant,
  most = Number.POSITIVE_INFINITY,
): Promise<number> {
  const mature = fold.takeMature(until);
  const champion = context.live.champion(spec.name)?.model;
  for (let from = 0; from < mature.length; from += CHUNK) {
    const examples = await examplesAtMaturity(context, spec.name, mature.slice(from, from + CHUNK));
    for (const example of examples) {
      if (fold.learned >= most) break;
      if (example === undefined) fold.skip();
      else {
        const canAsk = champion !== undefined && champion.remote === undefined && champion.isRecorded !== true;
        const championScores = canAsk ? champion.predictRow(example.features).scores : undefined;
        fold.learn({ ...example, ...(championScores === undefined ? {} : { championScores }) });
      }
    }
  }
  return mature.length;
}

const artifacts = new WeakMap<LoopContext, Map<string, FoldBasis>>();

export async function readBasis(context: LoopContext, version: string, hash: string): Promise<FoldBasis> {
  const known = artifacts.get(context) ?? new Map<string, FoldBasis>();
  artifacts.set(context, known);
  const found = known.get(hash);
  if (found !== undefined) return found;
  const artifact = await readArtifact((name) => context.objects.get(`artifacts/${hash}/${name}`), hash);
  const basis = { version, hash, artifact };
  known.clear();
  known.set(hash, basis);
  return basis;
}

/** The champion, where this trainer can go on from it. */
export async function basisOf(
  context: LoopContext,
  champion: VersionRecord,
  spec: ModelSpec,
): Promise<FoldBasis | undefined> {
  if (champion.trainer !== spec.trainer.name || champion.imported !== undefined) return undefined;
  const basis = await readBasis(context, champion.name, champion.artifact);
  // Backbones run in processes of their own, and learning example by example is done in this one.
  return basis.artifact.preparation.embed === undefined ? basis : undefined;
}

/** The kept fold where the champion is its basis or was frozen from it; else a new one that begins at the champion. */
async function openFold(context: LoopContext, spec: ModelSpec, champion: FoldBasis): Promise<OpenFold> {
  const folds = memory.get(context) ?? new Map<string, OpenFold>();
  memory.set(context, folds);
  const stored = await context.store.folds.read(spec.name, INCREMENTAL_FOLD);
  const known = folds.get(spec.name);
  if (known !== undefined && known.foldSeq === stored.foldSeq && continues(champion, known.fold.basis.hash))
    return known;
  const { content, fold: state } = await readKept(context, spec.name, INCREMENTAL_FOLD);
  const most = spec.data.holdout.maxRows;
  const from = content === undefined ? undefined : parseFold(content);
  const opened =
    content !== undefined && from !== undefined && continues(champion, from.basisArtifact)
      ? openAt(new OnlineFold(await readBasis(context, from.basis, from.basisArtifact), most, content), state)
      : {
          fold: new OnlineFold(champion, most),
          cursor: LOG_START,
          foldSeq: state.foldSeq,
          knownThrough: 0,
          unkeptEvents: 0,
        };
  folds.set(spec.name, opened);
  return opened;
}

const openAt = (fold: OnlineFold, { cursor, foldSeq, knownThrough }: FoldState): OpenFold => ({
  fold,
  cursor,
  foldSeq,
  knownThrough,
  unkeptEvents: 0,
});

function continues(champion: FoldBasis, basisHash: string): boolean {
  return champion.hash === basisHash || champion.artifact.manifest.learned?.basis === basisHash;
}

async function keep(context: LoopContext, model: string, open: OpenFold, now: Instant): Promise<void> {
  const { fold, foldSeq, cursor } = open;
  const knownThrough = Math.max(open.knownThrough, Math.min(now, fold.watermark));
  stopPoint("incremental.learned");
  const won = await writeKept(context, model, INCREMENTAL_FOLD, {
    expectedFoldSeq: foldSeq,
    cursor,
    knownThrough,
    content: fold.store(),
    about: fold.summary() as unknown as JsonObject,
  });
  stopPoint("incremental.kept");
  const folds = memory.get(context);
  // Another process learned the same rows: its state is read again, and is the same.
  if (won) folds?.set(model, { fold, cursor, foldSeq: foldSeq + 1, knownThrough, unkeptEvents: 0 });
  else folds?.delete(model);
}

/** What the fold has come to; undefined where nothing is learned per event. */
export async function incrementalSummary(context: LoopContext, spec: ModelSpec): Promise<FoldSummary | undefined> {
  if (!learnsPerEvent(spec)) return undefined;
  const { about } = await readKept(context, spec.name, INCREMENTAL_FOLD);
  return about["learned"] === undefined ? undefined : (about as unknown as FoldSummary);
}

/** The kept fold as a run can freeze it. */
export async function keptFold(context: LoopContext, model: string): Promise<Uint8Array | undefined> {
  return (await readKept(context, model, INCREMENTAL_FOLD)).content;
}
