/**
 * The object store as a local folder. A file appears whole or not at all (temporary name, fsync, rename, fsync of the folder);
 * a folder of files counts only once its marker `complete.json` is there, written last and removed first.
 */
import { constants } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, rm, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { canonicalJson, fail, type ObjectStore, secureBytes, sha256Hex } from "../../core/index.ts";
import { translateStoreError } from "../store-health.ts";
import { publishFile, syncPath, writeFileDurably } from "./durable.ts";

const MARKER = "complete.json";
const TEMPORARY = ".tmp-";
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Keys are made of our own ids and hashes; anything else is a mistake of ours, and must not leave the folder. */
function checkKey(key: string): string {
  const parts = key.split("/");
  if (parts.every((part) => PART.test(part) && !part.includes(".."))) return key;
  throw fail("NAME_INVALID", {
    message: `The object key ${JSON.stringify(key.slice(0, 120))} is not made of plain names joined by "/".`,
    remedy: "Build keys from ids and hashes only.",
  });
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function temporaryName(path: string): string {
  return `${path}${TEMPORARY}${Buffer.from(secureBytes(6)).toString("hex")}`;
}

/** Creates the folder and makes its entry in each parent durable, down from the first one that was missing. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let at = folder; at.length >= first.length; at = dirname(at)) await syncPath(dirname(at));
}

/** Names of all files below the folder, relative, in order; half-written ones are not files yet. */
async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  for (const entry of entries) {
    if (entry.isDirectory()) names.push(...(await filesBelow(join(folder, entry.name), `${prefix}${entry.name}/`)));
    else if (entry.isFile() && !entry.name.includes(TEMPORARY)) names.push(prefix + entry.name);
  }
  return names.sort();
}
function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true });
}

async function put(root: string, key: string, content: Uint8Array) {
  const path = join(root, checkKey(key));
  await makeFolder(dirname(path));
  const temporary = temporaryName(path);
  try {
    await writeFileDurably(temporary, path, content);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  return { sha256: sha256Hex(content), sizeBytes: content.byteLength };
}

async function copyIn(from: string, path: string): Promise<{ sha256: string; sizeBytes: number }> {
  await makeFolder(dirname(path));
  const temporary = temporaryName(path);
  try {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    await publishFile(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  const content = await readFile(path);
  return { sha256: sha256Hex(content), sizeBytes: content.byteLength };
}

async function putFolder(root: string, prefix: string, folder: string): Promise<void> {
  const target = join(root, checkKey(prefix));
  const isComplete = await fileExists(join(target, MARKER));
  if (!isComplete) {
    // Copied, not moved one by one: a process killed half-way finds the whole folder again and repeats.
    const names = (await filesBelow(folder)).filter((name) => name !== MARKER);
    for (const name of names) checkKey(`${prefix}/${name}`);
    // Side by side: a disk takes calls that come together in one flush. The marker waits for all of them.
    const copies = await Promise.allSettled(names.map((name) => copyIn(join(folder, name), join(target, name))));
    const files = Object.fromEntries(
      copies.map((copy, i) => {
        if (copy.status === "rejected") throw copy.reason;
        return [names[i] as string, copy.value];
      }),
    );
    await put(root, `${prefix}/${MARKER}`, Buffer.from(canonicalJson({ files })));
  }
  await rm(folder, { recursive: true, force: true });
}

async function fileExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function get(root: string, key: string): Promise<Uint8Array> {
  try {
    const handle = await open(join(root, checkKey(key)), "r");
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
    throw fail("NOT_FOUND", {
      message: `There is no object ${JSON.stringify(key.slice(0, 200))}.`,
      remedy: "It may have been deleted by retention; use a version that is kept.",
      cause: error,
    });
  }
}

async function deletePrefix(root: string, prefix: string): Promise<void> {
  const target = join(root, checkKey(prefix));
  // Without its marker a folder does not count, so a half-deleted one is never taken for whole.
  try {
    await unlink(join(target, MARKER));
    await syncPath(target);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  await rm(target, { recursive: true, force: true });
}

/**
 * Opens (and makes) the folder.
 * Errors: NAME_INVALID for a key that is not plain names joined by "/", NOT_FOUND from `get`, STORE_FULL on a full disk.
 */
export function openFileStore(directory: string): ObjectStore {
  const root = resolve(directory);
  const translated = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw translateStoreError(error);
    }
  };
  return {
    put: (key, content) => translated(put(root, key, content)),
    putFolder: (prefix, folder) => translated(putFolder(root, prefix, folder)),
    get: (key) => translated(get(root, key)),
    async exists(key) {
      const path = join(root, checkKey(key));
      return (await fileExists(path)) || (await fileExists(join(path, MARKER)));
    },
    async list(prefix) {
      return (await filesBelow(join(root, checkKey(prefix)))).map((name) => `${prefix}/${name}`);
    },
    deletePrefix: (prefix) => translated(deletePrefix(root, prefix)),
  };
}
