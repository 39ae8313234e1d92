/**
 * Real databases for tests, never mocks. An embedded one is a copy of a migrated directory that is prepared once and kept
 * in the temporary folder under a name made of its migrations, so that opening one costs a copy (a fifth of a second)
 * instead of a cluster and its migrations (seconds). A server's is a fresh database, dropped afterwards.
 *
 * An embedded database takes about 200 MB: open one per test file and share it; the test settings run two files at a time.
 */
import { createHash } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Logger, secureBytes, systemClock } from "../core/index.ts";
import { migrate } from "../storage/migrations.ts";
import { dropSpareDatabases } from "../storage/pglite/spare-databases.ts";
import { type Database, openDatabase, type TransactionLimits } from "../storage/pool.ts";

export interface TestDatabase {
  readonly database: Database;
  /** The data directory of an embedded one; for a server's, a fresh empty folder for files. Both are deleted at the end. */
  readonly directory: string;
  /** Closes and deletes it; call it in `afterAll`. */
  dispose(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** False leaves the database without our tables. Default true. */
  readonly isMigrated?: boolean;
  readonly transactionLimits?: TransactionLimits;
  readonly logger?: Logger;
}

/** A fresh embedded database of its own directory. */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { isMigrated = true, ...rest } = options;
  const directory = await mkdtemp(join(tmpdir(), "retrain-test-"));
  try {
    if (isMigrated) await copyFolder(await preparedDirectory(), directory);
    const database = await openDatabase({ directory, systemClock, ...rest });
    return { database, directory, dispose: () => disposeBoth(database, directory) };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function disposeBoth(database: Database, directory: string): Promise<void> {
  await database.close();
  await rm(directory, { recursive: true, force: true });
}

const PREPARED = "retrain-test-prepared-";

/** The migrated directory to copy from, made when it is missing. Two processes may make it at once: the first one's stays. */
async function preparedDirectory(): Promise<string> {
  const directory = join(tmpdir(), PREPARED + (await migrationsHash()));
  if (existsSync(directory)) return directory;
  const fresh = await mkdtemp(join(tmpdir(), "retrain-test-preparing-"));
  const database = await openDatabase({ directory: fresh, systemClock });
  await dropSpareDatabases(database);
  await migrate(database);
  await database.close();
  try {
    await rename(fresh, directory);
    await removeOldPrepared(basename(directory));
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

/** Changes when a migration or a pinned version changes. */
async function migrationsHash(): Promise<string> {
  const folder = fileURLToPath(new URL("../storage/migrations/", import.meta.url));
  const hash = createHash("sha256").update(dropSpareDatabases.toString());
  for (const name of (await readdir(folder)).sort()) hash.update(name).update(await readFile(join(folder, name)));
  const manifest = findManifest(folder);
  if (manifest) hash.update(await readFile(manifest));
  return hash.digest("hex").slice(0, 16);
}

function findManifest(folder: string): string | undefined {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return join(at, "package.json");
  }
  return undefined;
}

/** Longer than any test run: one of an earlier migration may still be copied from by a run that began before the change. */
const UNUSED_MS = 86_400_000;

async function removeOldPrepared(keep: string): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREPARED) || name === keep) continue;
    const path = join(tmpdir(), name);
    const { mtimeMs } = await stat(path);
    if (mtimeMs < systemClock.now() - UNUSED_MS) await rm(path, { recursive: true, force: true });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

const DEFAULT_SERVER = "postgres://postgres@127.0.0.1:5432/postgres";

/** The PostgreSQL server for tests (RETRAIN_TEST_DATABASE_URL, else the local one), or why there is none. */
export async function findTestServer(): Promise<{ readonly url: string } | { readonly skipReason: string }> {
  const url = process.env["RETRAIN_TEST_DATABASE_URL"] ?? DEFAULT_SERVER;
  try {
    const database = await openDatabase({ url, systemClock });
    await database.close();
    return { url };
  } catch (error) {
    return { skipReason: `no PostgreSQL answers at ${new URL(url).host}: ${(error as Error).message}` };
  }
}

/** A fresh database on the server `findTestServer` found. */
export async function openPostgresTestDatabase(
  options: TestDatabaseOptions = {},
): Promise<TestDatabase & { readonly url: string }> {
  const { isMigrated = true, ...rest } = options;
  const server = await findTestServer();
  if ("skipReason" in server) throw new Error(server.skipReason);
  const name = `retrain_test_${Buffer.from(secureBytes(8)).toString("hex")}`;
  await onServer(server.url, `create database ${name}`);
  const url = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
  const directory = await mkdtemp(join(tmpdir(), "retrain-test-"));
  const database = await openDatabase({ url, systemClock, ...rest });
  if (isMigrated) await migrate(database);
  const dispose = async () => {
    await disposeBoth(database, directory);
    await onServer(server.url, `drop database ${name} with (force)`);
  };
  return { database, directory, url, dispose };
}

async function onServer(url: string, statement: string): Promise<void> {
  const database = await openDatabase({ url, systemClock });
  try {
    await database.query(statement);
  } finally {
    await database.close();
  }
}
