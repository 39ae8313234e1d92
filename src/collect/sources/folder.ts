/**
 * A folder into which finished files are put. Each is read once and stays where it is; a file is known by its name, size and
 * time, and where those changed by its content, so that a touched or copied file is not read twice.
 *
 * A file counts as finished when it has not changed for two seconds and its name is not that of an unfinished one: hidden, or
 * ending in .tmp, .part, .partial, .crdownload or ~.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type JsonObject, RetrainError, type SystemClock } from "../../core/index.ts";
import { type Format, FORMATS, formatOfPath, readFileRows } from "../read-rows.ts";
import { hashFile, SETTLE_MS, skip } from "./file.ts";
import { inBatches, type Source, type SourceBatch } from "./source.ts";

export interface FolderSourceOptions {
  readonly name: string;
  readonly model: string;
  readonly path: string;
  readonly format?: Format;
  readonly pollMs: number;
  readonly missing: readonly string[];
  readonly clock: SystemClock;
}

interface Entry {
  readonly size: number;
  readonly mtimeMs: number;
  readonly sha256: string;
  /** Set while the file is only read in part: the rows that are stored. */
  readonly rows?: number;
  /** Another content was read under this name before: its rows may be the same. */
  readonly later?: true;
  /** Why it cannot be read: it is not tried again until it changes. */
  readonly problem?: string;
}
type Entries = Readonly<Record<string, Entry>>;

const UNFINISHED = /^\.|\.(tmp|part|partial|crdownload)$|~$/;

export function createFolderSource(options: FolderSourceOptions): Source {
  return {
    name: options.name,
    model: options.model,
    pollMs: options.pollMs,
    missing: options.missing,
    poll: (position) => pollFolder(options, position),
  };
}

async function* pollFolder(
  options: FolderSourceOptions,
  position: JsonObject | undefined,
): AsyncGenerator<SourceBatch> {
  const stored = (position?.["files"] ?? {}) as unknown as Entries;
  const files = await listFiles(options);
  // Only files that are still there are remembered, so the position does not grow for ever.
  let entries: Entries = Object.fromEntries(
    files.flatMap((file) => (Object.hasOwn(stored, file.name) ? [[file.name, stored[file.name] as Entry]] : [])),
  );
  const contents = new Map(
    Object.entries(stored).flatMap(([name, one]) => (one.rows === undefined ? [[one.sha256, name]] : [])),
  );
  for (const file of files) {
    const known = entries[file.name];
    const same = known?.size === file.size && known.mtimeMs === file.mtimeMs;
    if (same && known.rows === undefined) continue;
    const sha256 = await hashFile(file.path);
    const isLater = known !== undefined && (known.sha256 !== sha256 || known.later === true);
    const entry: Entry = { size: file.size, mtimeMs: file.mtimeMs, sha256, ...(isLater ? { later: true } : {}) };
    const origin = `file:${file.name}`;
    const done = known?.sha256 === sha256 ? known.rows : undefined;
    if (done === undefined && contents.has(sha256)) {
      entries = { ...entries, [file.name]: entry };
      yield { rows: [], position: toPosition(entries), anomalies: [], origin };
      continue;
    }
    let count = done ?? 0;
    try {
      const readings = skip(readFileRows(file.path, options.format), count);
      for await (const batch of inBatches(readings, (rows, last) => {
        count += rows.length;
        entries = { ...entries, [file.name]: last ? entry : { ...entry, rows: count } };
        const mayBeKnown = isLater ? { mayBeKnown: true } : {};
        return { rows, position: toPosition(entries), anomalies: [], origin, part: file.name, ...mayBeKnown };
      }))
        yield batch;
    } catch (error) {
      if (!(error instanceof RetrainError)) throw error;
      // The other files must not wait for a person; the batch carries the news.
      entries = { ...entries, [file.name]: { ...entry, problem: error.code } };
      const message = `${file.name}: ${error.message}`;
      yield {
        rows: [],
        position: toPosition(entries),
        anomalies: [{ code: error.code, message, blocking: false }],
        origin,
      };
    }
    contents.set(sha256, file.name);
  }
}

const toPosition = (entries: Entries): JsonObject => ({ files: entries as unknown as JsonObject });

/** Settled files of a format we read, oldest first, so that batches arrive in the order they were put there. */
async function listFiles(options: FolderSourceOptions) {
  const names = await readdir(options.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const found: { name: string; path: string; size: number; mtimeMs: number }[] = [];
  for (const name of names) {
    if (UNFINISHED.test(name) || name === "__proto__" || (options.format === undefined && !isReadable(name))) continue;
    const path = join(options.path, name);
    const file = await stat(path).catch(() => undefined);
    if (file === undefined || !file.isFile()) continue;
    if (options.clock.now() - file.mtimeMs < SETTLE_MS) continue;
    found.push({ name, path, size: file.size, mtimeMs: file.mtimeMs });
  }
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs || (a.name < b.name ? -1 : 1));
}

function isReadable(name: string): boolean {
  try {
    return FORMATS.includes(formatOfPath(name));
  } catch {
    return false;
  }
}
