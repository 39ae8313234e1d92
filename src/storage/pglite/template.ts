/**
 * A new data directory starts from a packed cluster that the build made: unpacking takes a third of a second, where making
 * one (initdb in WebAssembly) takes seconds and a gigabyte of memory. Without the template it is made all the same.
 *
 * The pack is a gzipped tar (ustar, plain files and folders only), unpacked beside its place and renamed, so that a process
 * killed meanwhile leaves no half cluster behind.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

export const TEMPLATE_FILE = "cluster.tar.gz";

/** fsync calls at once; more than the thread pool's four would only wait. */
const FSYNC_LANES = 4;

/** The template whose migrations have run, where the build made one: for servers, which would run them at their first start. */
export function readyTemplate(): string | undefined {
  const folder = join(builtTemplate(), "ready");
  return existsSync(join(folder, TEMPLATE_FILE)) ? folder : undefined;
}

/** Where the build puts the template, seen from the built file or from the source. */
export function builtTemplate(): string {
  const fromHere = import.meta.url.endsWith(".ts") ? "../../../dist/template/" : "../../../template/";
  return fileURLToPath(new URL(fromHere, import.meta.url));
}

/**
 * Makes the cluster's folder from the template when it does not exist; returns whether it did. False also when there is no
 * template, or one of another PostgreSQL version: then the database makes its cluster by itself.
 */
export async function unpackTemplate(cluster: string, templateFolder: string, version: string): Promise<boolean> {
  await removeLeftovers(cluster);
  const pack = join(templateFolder, TEMPLATE_FILE);
  if (existsSync(join(cluster, "PG_VERSION")) || !existsSync(pack)) return false;
  if (readVersion(templateFolder) !== version) return false;
  const fresh = `${cluster}.new-${process.pid}`;
  await unpack(await promisify(gunzip)(readFileSync(pack)), fresh);
  await syncTree(fresh);
  // An empty folder, or one of an initdb that was killed: without PG_VERSION nothing in it is a database.
  await rm(cluster, { recursive: true, force: true });
  await rename(fresh, cluster);
  await syncPath(dirname(cluster));
  return true;
}

/** The version of PGlite that made the template. */
function readVersion(templateFolder: string): string | undefined {
  const file = join(templateFolder, "version.txt");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

async function removeLeftovers(cluster: string): Promise<void> {
  const parent = dirname(cluster);
  if (!existsSync(parent)) return;
  const prefix = `${basename(cluster)}.new-`;
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

const BLOCK = 512;
const NAME_LENGTH = 100;
const SIZE_AT = 124;
const TYPE_AT = 156;
const FOLDER = "5".charCodeAt(0);

async function unpack(tar: Buffer, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const name = text(tar, at, NAME_LENGTH);
    const size = Number.parseInt(text(tar, at + SIZE_AT, 12), 8);
    const path = join(folder, name);
    if (tar[at + TYPE_AT] === FOLDER) await mkdir(path, { recursive: true, mode: 0o700 });
    else await writeFile(path, tar.subarray(at + BLOCK, at + BLOCK + size), { mode: 0o600 });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function text(tar: Buffer, at: number, length: number): string {
  const raw = tar.toString("latin1", at, at + length);
  const end = raw.indexOf("\0");
  return end < 0 ? raw : raw.slice(0, end);
}

/** fsync of every file and folder below and of the folder itself. */
async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true });
  const paths = [...entries.map((name) => join(folder, name)), folder];
  const lane = async () => {
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) await syncPath(path);
  };
  await Promise.all(Array.from({ length: FSYNC_LANES }, lane));
}

async function syncPath(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
