/**
 * A new data directory starts from a packed cluster that the build made: unpacking takes a third of a second, where making
 * one (initdb in WebAssembly) takes seconds and a gigabyte of memory. Without the template it is made all the same.
 *
 * The pack is a gzipped tar (ustar, plain files and folders only), unpacked beside its place and renamed, so that a process
 * killed meanwhile leaves no half cluster behind.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { syncPath, syncTree } from "./sync-tree.ts";

export const TEMPLATE_FILE = "cluster.tar.gz";

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
export async function unpackTemplate(cluster: string, template: Template, version: string): Promise<boolean> {
  await removeLeftovers(cluster);
  if (existsSync(join(cluster, "PG_VERSION")) || !existsSync(join(template.folder, TEMPLATE_FILE))) return false;
  if (readVersion(template.folder) !== version) return false;
  const fresh = `${cluster}.new-${process.pid}`;
  unpack(await (template.tar ?? readTemplate(template.folder)), fresh);
  const { failure } = await syncTree(fresh);
  if (failure !== undefined) throw failure;
  // An empty folder, or one of an initdb that was killed: without PG_VERSION nothing in it is a database.
  await rm(cluster, { recursive: true, force: true });
  await rename(fresh, cluster);
  await syncPath(dirname(cluster));
  return true;
}

/** The folder of a template, and what is in its pack where somebody began to read it earlier. */
export interface Template {
  readonly folder: string;
  readonly tar?: Promise<Buffer>;
}

/** The pack of the template, unzipped. @throws what the file system and zlib say */
export async function readTemplate(folder: string): Promise<Buffer> {
  return await promisify(gunzip)(await readFile(join(folder, TEMPLATE_FILE)));
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

/** By synchronous calls, which take a tenth of the time for seven hundred small files: the thread has nothing else to do yet. */
function unpack(tar: Buffer, folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const name = text(tar, at, NAME_LENGTH);
    const size = Number.parseInt(text(tar, at + SIZE_AT, 12), 8);
    const path = join(folder, name);
    if (tar[at + TYPE_AT] === FOLDER) mkdirSync(path, { recursive: true, mode: 0o700 });
    else writeFileSync(path, tar.subarray(at + BLOCK, at + BLOCK + size), { mode: 0o600 });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function text(tar: Buffer, at: number, length: number): string {
  const raw = tar.toString("latin1", at, at + length);
  const end = raw.indexOf("\0");
  return end < 0 ? raw : raw.slice(0, end);
}
