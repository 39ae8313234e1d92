/**
 * Compaction: the idle partition becomes Parquet segments, then is truncated. The swap is one short transaction under a lock
 * that no insert can pass: it counts the partition's rows and gives up unless exactly the copied ones are there, so a commit
 * that came late is never lost, only copied again. Files of a copy that was given up, or of a process that died, are orphans
 * which `collectOrphans` removes.
 */
import { mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import {
  type Logger,
  LOG_START,
  type LogCursor,
  type LogSchema,
  type SystemClock,
  type Turns,
  uuidV7,
} from "../../core/index.ts";
import type { Analytics } from "../analytics.ts";
import { type Queryable, type SqlDatabase, toNumber } from "../sql.ts";
import { endOf } from "./block.ts";
import { SegmentLoader } from "./segment-load.ts";
import { indexPath, segmentPath } from "./segment-write.ts";
import { insertSegments, type StoredSegment } from "./segments.ts";
import { tailPage } from "./tail.ts";

/** Rows fetched at a time, as many blocks as usually hold them: the question costs the store as much as some 300 rows. */
const PAGE_ROWS = 1000;
/** The same in bytes, for rows with images. */
const PAGE_BYTES = 2 * 1024 * 1024;
/** Pauses between pages, in pages: nobody waits for a copy, and at a third of its speed it keeps up with 5,000 rows a second. */
const COPY_REST = 2;
/** A copy is given up when a commit came between; under steady load into a fresh flip that is rare, three times is a fault. */
const MAX_TRIES = 5;
/** A file without a row in `segment` is kept this long, ms: its transaction may be about to commit. */
export const ORPHAN_AGE_MS = 10 * 60_000;
/** How long the swap may wait for its lock, which stops inserts: less than a client would notice. */
const LOCK_TIMEOUT = "500ms";

export interface CompactParts {
  readonly database: SqlDatabase;
  readonly analytics: Analytics;
  readonly folder: string;
  readonly systemClock: SystemClock;
  readonly schemaOf: (model: string) => LogSchema | undefined;
  readonly logger: Logger;
  /** How a copy shares the store with requests that come meanwhile. */
  readonly turns: Turns;
  /** Called between the copy and the swap; tests put a late commit there. */
  readonly beforeSwap?: () => Promise<void>;
}

type Part = 0 | 1;
export interface CompactResult {
  readonly segments: number;
  readonly rows: number;
}

async function activePart(database: Queryable): Promise<Part> {
  const { rows } = await database.query("select active_part from log_state");
  return toNumber(rows[0]?.["active_part"]) as Part;
}

async function isEmpty(database: Queryable, part: Part): Promise<boolean> {
  const { rows } = await database.query(`select exists (select 1 from ingest_${part}) as some`);
  return !rows[0]?.["some"];
}

/** How many blocks of a model are a page. Their sizes are known without their texts. */
async function blocksPerPage(database: Queryable, part: Part, model: string): Promise<number> {
  const { rows } = await database.query(
    `select avg(rows)::float8 as rows, avg(octet_length(bodies))::float8 as bytes from ingest_${part} where model = $1`,
    [model],
  );
  const mean = { rows: toNumber(rows[0]?.["rows"] ?? 1), bytes: toNumber(rows[0]?.["bytes"] ?? 1) };
  return Math.max(1, Math.floor(Math.min(PAGE_ROWS / mean.rows, PAGE_BYTES / mean.bytes)));
}

/** Copies the rows of a model out of the partition, one segment per kind. */
async function copyModel(
  parts: CompactParts,
  connection: DuckDBConnection,
  part: Part,
  model: string,
): Promise<StoredSegment[]> {
  const loader = new SegmentLoader(connection, parts.schemaOf(model));
  try {
    const limit = await blocksPerPage(parts.database, part, model);
    let cursor: LogCursor = LOG_START;
    const copyPage = async (): Promise<boolean> => {
      const page = await tailPage(parts.database, part, model, cursor, limit);
      for (const block of page) await loader.add(block);
      const last = page.at(-1);
      if (last) cursor = endOf(last);
      return page.length === limit;
    };
    while (await parts.turns.take(copyPage, COPY_REST));
    await loader.load();
    const segments: StoredSegment[] = [];
    for (const table of loader.tables) {
      const { kind, signature } = table.layout;
      const written = await table.write(parts.folder, uuidV7(parts.systemClock.now()));
      segments.push({ ...written, model, kind, signature });
    }
    return segments;
  } finally {
    await loader.drop();
  }
}

/** The models with rows in the partition, by one step of the index each: to read every row would hold the store up. */
async function modelsOf(database: Queryable, part: Part): Promise<readonly string[]> {
  const { rows } = await database.query(
    `with recursive found as (
       select min(model) as model from ingest_${part}
       union all
       select (select min(model) from ingest_${part} where model > found.model) from found where found.model is not null
     )
     select model from found where model is not null`,
  );
  return rows.map((row) => row["model"] as string);
}

async function copyPart(parts: CompactParts, part: Part): Promise<StoredSegment[]> {
  const models = await modelsOf(parts.database, part);
  return parts.analytics.use(async (connection) => {
    const segments: StoredSegment[] = [];
    for (const model of models) segments.push(...(await copyModel(parts, connection, part, model)));
    return segments;
  });
}

/**
 * True when the partition held exactly the copied rows and is now replaced by the segments. The generation tells that no other
 * process swapped meanwhile: after its swap the partition may hold as many rows again, and other ones.
 */
async function swap(
  parts: CompactParts,
  part: Part,
  segments: readonly StoredSegment[],
  generation: unknown,
): Promise<boolean> {
  const copied = segments.reduce((sum, { rows }) => sum + rows, 0);
  return parts.database.transaction(async (transaction) => {
    await transaction.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await transaction.query(`lock table ingest_${part} in access exclusive mode`);
    const { rows } = await transaction.query(
      `select (select coalesce(sum(rows), 0) from ingest_${part}) as count, generation from log_state for update`,
    );
    if (toNumber(rows[0]?.["count"]) !== copied || rows[0]?.["generation"] !== generation) return false;
    await insertSegments(transaction, segments, parts.systemClock.now());
    await transaction.query(`truncate ingest_${part}`);
    return true;
  });
}

export async function removeSegmentFiles(folder: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    for (const path of [segmentPath(folder, id), indexPath(folder, id)]) {
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
  }
}

function isLockTimeout(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as { code?: unknown }).code === "55P03";
}

async function compactPart(parts: CompactParts, part: Part): Promise<CompactResult> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { rows: state } = await parts.database.query("select generation from log_state");
    const segments = await copyPart(parts, part);
    await parts.beforeSwap?.();
    let isDone = false;
    try {
      isDone = await swap(parts, part, segments, state[0]?.["generation"]);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
    }
    if (isDone) return { segments: segments.length, rows: segments.reduce((sum, { rows }) => sum + rows, 0) };
    parts.logger.debug({ part, tries }, "A commit came during a compaction; it is copied again");
    await removeSegmentFiles(
      parts.folder,
      segments.map(({ id }) => id),
    );
  }
  return { segments: 0, rows: 0 };
}

/** Moves everything that is in the tail at the call into segments; rows that come meanwhile may stay. */
export async function compact(parts: CompactParts): Promise<CompactResult> {
  await mkdir(parts.folder, { recursive: true });
  const active = await activePart(parts.database);
  const idle: Part = active === 0 ? 1 : 0;
  const total = { segments: 0, rows: 0 };
  const add = (result: CompactResult) => {
    total.segments += result.segments;
    total.rows += result.rows;
  };
  // Left from a process that died between flip and swap, or written by an insert that had read the old part.
  if (!(await isEmpty(parts.database, idle))) add(await compactPart(parts, idle));
  if (await isEmpty(parts.database, active)) return total;
  await parts.database.query("update log_state set active_part = $1::smallint where active_part = $2::smallint", [
    idle,
    active,
  ]);
  add(await compactPart(parts, active));
  return total;
}

/** Deletes files that no row names and that are older than any compaction under way. */
export async function collectOrphans(
  parts: Pick<CompactParts, "database" | "folder" | "systemClock">,
): Promise<number> {
  const names = await readdir(parts.folder).catch(() => [] as string[]);
  const { rows } = await parts.database.query("select id from segment");
  const known = new Set(rows.map((row) => row["id"] as string));
  let removed = 0;
  for (const name of names) {
    const id = name.split(".")[0] as string;
    const isTemporary = name.endsWith(".tmp");
    if (known.has(id) && !isTemporary) continue;
    const path = join(parts.folder, name);
    const age =
      parts.systemClock.now() - (await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))).mtimeMs;
    if (!(age > ORPHAN_AGE_MS)) continue;
    await unlink(path).catch(() => {});
    removed += 1;
  }
  return removed;
}
