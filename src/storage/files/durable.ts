/** Writing a file so that it is whole or absent after any crash: temporary name, fsync, rename, fsync of the folder. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a file's content, or a folder's entries, survive a power cut. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a finished temporary file its name. */
export async function publishFile(temporary: string, path: string): Promise<void> {
  await syncPath(temporary);
  await rename(temporary, path);
  await syncPath(dirname(path));
}

export async function writeFileDurably(temporary: string, path: string, content: Uint8Array): Promise<void> {
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncPath(dirname(path));
}

/** Large enough that hashing is most of the work, small enough that the event loop is held for a tenth of a millisecond. */
const HASH_CHUNK_BYTES = 131_072;

/** SHA-256 of a file as it is on the disk, by chunks. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: HASH_CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
