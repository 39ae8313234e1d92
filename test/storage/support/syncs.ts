/** Which files and folders a piece of work asks the disk to keep, in which order, and what had its name by then. */
import { readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { vi } from "vitest";

/** What an open file is called can be read on Linux alone. */
export const TELLS_NAMES = process.platform === "linux";

/** @param note called at each sync, before it is made, with the path at that time */
export async function watchSyncs<T>(work: () => Promise<T>, note: (path: string) => void): Promise<T> {
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const sync = Object.getOwnPropertyDescriptor(prototype, "sync")?.value as (this: FileHandle) => Promise<void>;
  const spy = vi.spyOn(prototype, "sync").mockImplementation(function (this: FileHandle) {
    note(readlinkSync(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  });
  try {
    return await work();
  } finally {
    spy.mockRestore();
  }
}
