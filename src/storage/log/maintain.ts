/** Daily work on segments: small ones are merged, files of merged and deleted ones removed, old volume rows coarsened. */
import { DAY_MS, type EventKind, HOUR_MS, type Instant, type SystemClock, uuidV7 } from "../../core/index.ts";
import { type Analytics, fileList } from "../analytics.ts";
import { readFile } from "node:fs/promises";
import { type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { VOLUME_WIDTH_MS } from "./append-sql.ts";
import { hashFile } from "../files/durable.ts";
import { collectOrphans, ORPHAN_AGE_MS, removeSegmentFiles } from "./compact.ts";
import { KIND_CODES } from "./encode.ts";
import { mergeIndexes, parseIndex, type SegmentIndex } from "./segment-index.ts";
import { indexPath, segmentPath, writeSegmentFiles } from "./segment-write.ts";
import { insertSegments, type SegmentCatalog, type StoredSegment } from "./segments.ts";

/** Segments below this are merged, up to this many rows: about 100 MB of typical rows, a second of work. */
export const MERGED_ROWS = 1_000_000;

export interface MaintainParts {
  readonly database: SqlDatabase;
  readonly analytics: Analytics;
  readonly catalog: SegmentCatalog;
  readonly folder: string;
  readonly systemClock: SystemClock;
}

/** Runs of neighbors in log order with one kind and signature, each run small enough to be one segment. */
export function mergeGroups(segments: readonly StoredSegment[], maxRows = MERGED_ROWS): StoredSegment[][] {
  const byColumns = new Map<string, StoredSegment[]>();
  for (const segment of segments) {
    const key = `${segment.kind} ${segment.signature}`;
    byColumns.set(key, [...(byColumns.get(key) ?? []), segment]);
  }
  const groups: StoredSegment[][] = [];
  for (const list of byColumns.values()) {
    let group: StoredSegment[] = [];
    let rows = 0;
    for (const segment of list) {
      if (group.length > 0 && rows + segment.rows > maxRows) {
        groups.push(group);
        group = [];
        rows = 0;
      }
      group.push(segment);
      rows += segment.rows;
    }
    groups.push(group);
  }
  return groups.filter((group) => group.length > 1);
}

async function mergedIndex(folder: string, group: readonly StoredSegment[]): Promise<SegmentIndex | undefined> {
  const indexes: SegmentIndex[] = [];
  for (const { id } of group) {
    const bytes = await readFile(indexPath(folder, id)).catch(() => undefined);
    const index = bytes && parseIndex(bytes);
    // Without one of the parts the whole may hold anything, and a segment without an index says just that.
    if (!index) return undefined;
    indexes.push(index);
  }
  return mergeIndexes(indexes);
}

function least<T extends number | bigint>(values: readonly T[]): T {
  return values.reduce((best, value) => (value < best ? value : best));
}
function greatest<T extends number | bigint>(values: readonly T[]): T {
  return values.reduce((best, value) => (value > best ? value : best));
}
function present(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

function describe(
  group: readonly StoredSegment[],
  written: { readonly id: string; readonly bytes: number; readonly sha256: string },
): StoredSegment {
  const first = group[0] as StoredSegment;
  const maxTransactionId = greatest(group.map((segment) => segment.maxTransactionId));
  const lasts = group.filter((segment) => segment.maxTransactionId === maxTransactionId);
  const idTimes = present(group.flatMap(({ minIdTime, maxIdTime }) => [minIdTime, maxIdTime]));
  return {
    ...written,
    model: first.model,
    kind: first.kind,
    signature: first.signature,
    rows: group.reduce((sum, { rows }) => sum + rows, 0),
    minAt: least(group.map((segment) => segment.minAt)),
    maxAt: greatest(group.map((segment) => segment.maxAt)),
    minReceivedAt: least(group.map((segment) => segment.minReceivedAt)),
    maxReceivedAt: greatest(group.map((segment) => segment.maxReceivedAt)),
    minTransactionId: least(group.map((segment) => segment.minTransactionId)),
    maxTransactionId,
    maxSeq: greatest(lasts.map((segment) => segment.maxSeq)),
    minIdTime: idTimes.length === 0 ? null : least(idTimes),
    maxIdTime: idTimes.length === 0 ? null : greatest(idTimes),
    hasOtherIds: group.some((segment) => segment.hasOtherIds),
  };
}

/** Reads every segment of the model whole and compares it with the hash it was written with. Cost: the bytes. */
export async function damagedSegments(
  parts: Pick<MaintainParts, "catalog" | "folder">,
  model: string,
): Promise<readonly { readonly path: string; readonly problem: "missing" | "changed" }[]> {
  const damaged: { path: string; problem: "missing" | "changed" }[] = [];
  for (const { id, sha256 } of await parts.catalog.current(model)) {
    if (sha256 === null) continue;
    const path = segmentPath(parts.folder, id);
    const found = await hashFile(path).catch(() => undefined);
    if (found !== sha256) damaged.push({ path, problem: found === undefined ? "missing" : "changed" });
  }
  return damaged;
}

async function merge(parts: MaintainParts, group: readonly StoredSegment[]): Promise<void> {
  // A merged file gets a hash of its own, so what is damaged must not go into one.
  for (const { id, sha256 } of group) {
    if (sha256 !== null && (await hashFile(segmentPath(parts.folder, id)).catch(() => "")) !== sha256) return;
  }
  const id = uuidV7(parts.systemClock.now());
  const files = fileList(group.map((segment) => segmentPath(parts.folder, segment.id)));
  const index = await mergedIndex(parts.folder, group);
  const written = await parts.analytics.use((connection) =>
    writeSegmentFiles({
      connection,
      select: `select * from ${files} order by transaction_id, seq`,
      folder: parts.folder,
      id,
      index,
    }),
  );
  const isDone = await replace(parts, group, describe(group, { id, ...written }));
  if (!isDone) await removeSegmentFiles(parts.folder, [id]);
}

/** False when another process merged or deleted one of them meanwhile. */
async function replace(parts: MaintainParts, group: readonly StoredSegment[], merged: StoredSegment): Promise<boolean> {
  const now = parts.systemClock.now();
  return parts.database.transaction(async (transaction) => {
    const { rows } = await transaction.query(
      "select id from segment where id = any ($1::text[]) and removed_at is null for update",
      [group.map((segment) => segment.id)],
    );
    if (rows.length !== group.length) return false;
    await markRemoved(
      transaction,
      group.map((segment) => segment.id),
      now,
    );
    await insertSegments(transaction, [merged], now);
    return true;
  });
}

async function markRemoved(transaction: Queryable, ids: readonly string[], now: Instant): Promise<void> {
  await transaction.query("update segment set removed_at = $2 where id = any ($1::text[])", [ids, now]);
}

/** Files of removed segments stay as long as a reader may still use the set it began with. */
async function removeOld(parts: MaintainParts): Promise<void> {
  const before = parts.systemClock.now() - ORPHAN_AGE_MS;
  const { rows } = await parts.database.query("select id from segment where removed_at < $1", [before]);
  const ids = rows.map((row) => row["id"] as string);
  if (ids.length === 0) return;
  await removeSegmentFiles(parts.folder, ids);
  await parts.database.query("delete from segment where id = any ($1::text[])", [ids]);
}

const COARSER = [
  { from: VOLUME_WIDTH_MS, to: 60_000, olderThan: HOUR_MS },
  { from: 60_000, to: HOUR_MS, olderThan: 2 * DAY_MS },
] as const;

/** Seconds become minutes after an hour of log, minutes hours after two days: a model's counts stay a few thousand rows. */
export async function coarsenVolume(database: Queryable, now: Instant): Promise<void> {
  for (const { from, to, olderThan } of COARSER) {
    await database.query(
      `with old as (
         delete from volume where width = $1::bigint and bucket < $3::bigint - $3::bigint % $2::bigint
         returning model, bucket - bucket % $2::bigint as wide, observation, prediction, label, outcome, labelled, first_at, last_at
       )
       insert into volume (model, bucket, width, observation, prediction, label, outcome, labelled, first_at, last_at)
       select model, wide, $2::bigint, sum(observation), sum(prediction), sum(label), sum(outcome), sum(labelled), min(first_at), max(last_at)
       from old group by model, wide order by model, wide
       on conflict (model, bucket, width) do update set
         observation = volume.observation + excluded.observation, prediction = volume.prediction + excluded.prediction,
         label = volume.label + excluded.label, outcome = volume.outcome + excluded.outcome,
         labelled = volume.labelled + excluded.labelled, first_at = least(volume.first_at, excluded.first_at),
         last_at = greatest(volume.last_at, excluded.last_at)`,
      [from, to, now - olderThan],
    );
  }
}

export async function maintain(parts: MaintainParts): Promise<void> {
  for (const model of await parts.catalog.models()) {
    for (const group of mergeGroups(await parts.catalog.current(model))) await merge(parts, group);
  }
  await removeOld(parts);
  await collectOrphans(parts);
}

/** Marks the segments whose newest event is older; their files go with the next `maintain`. Returns the rows. */
export async function deleteBefore(
  parts: Pick<MaintainParts, "database" | "systemClock">,
  model: string,
  kinds: readonly EventKind[],
  before: Instant,
): Promise<number> {
  const now = parts.systemClock.now();
  return parts.database.transaction(async (transaction) => {
    const { rows } = await transaction.query(
      `update segment set removed_at = $1 where model = $2 and removed_at is null
         and kind in (${kinds.map((kind) => KIND_CODES[kind]).join(",") || "null"})
         and greatest(max_at, max_received_at) < $3 returning rows`,
      [now, model, before],
    );
    if (rows.length > 0) await transaction.query("update log_state set generation = generation + 1");
    return rows.reduce((sum, row) => sum + toNumber(row["rows"]), 0);
  });
}
