/**
 * One server per data directory. Two embedded databases on the same files destroy each other's rows without a word, so
 * the directory is guarded by a lock of the operating system, which a killed process gives back by itself. Node offers no
 * such lock; DuckDB, which we carry anyway, takes one (fcntl on POSIX) on a database file that it opens for writing, and
 * names the process that holds it. Never open the guard file by other means: on POSIX, closing any descriptor of a file
 * gives back all locks the process holds on it.
 */
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { fail, type RetrainError } from "../core/index.ts";

const GUARD_FILE = "guard.duckdb";

/** Directories this process holds: the lock of the operating system is the process's, so it would grant itself a second one. */
const HELD = Symbol.for("retrain.directory-lock.held");
const shared = globalThis as { [HELD]?: Set<string> };
shared[HELD] ??= new Set();
const held: Set<string> = shared[HELD];

export interface DirectoryLock {
  release(): void;
}

/** Takes the lock, creating the directory when it is new. @throws DIRECTORY_LOCKED, naming the holder's process id */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = realpathSync(directory);
  if (held.has(path)) throw locked(directory, process.pid, "this process itself");
  held.add(path);
  try {
    const guard = await DuckDBInstance.create(join(path, GUARD_FILE), { threads: "1" });
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        guard.closeSync();
        held.delete(path);
      },
    };
  } catch (error) {
    held.delete(path);
    throw translate(directory, error);
  }
}

function translate(directory: string, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (!/lock|being used by another process/i.test(message)) return error as Error;
  const pid = /PID (\d+)/.exec(message)?.[1];
  return locked(directory, pid === undefined ? undefined : Number(pid), undefined, error);
}

function locked(directory: string, pid: number | undefined, who?: string, cause?: unknown): RetrainError {
  const holder = who ?? (pid === undefined ? "another process" : `the process ${pid}`);
  return fail("DIRECTORY_LOCKED", {
    message: `The data directory ${directory} is used by ${holder}${who ? ` (${pid})` : ""}; two servers on one directory would destroy each other's data.`,
    remedy:
      pid === undefined || who
        ? "Stop the other server, or give this one a directory of its own."
        : `Stop it (kill ${pid}), or give this server a directory of its own.`,
    details: { directory, ...(pid === undefined ? {} : { pid }) },
    ...(cause === undefined ? {} : { cause }),
  });
}
