/** The folder in which a run's jobs exchange files: `jobs/RUN` in the data directory, gone when the run has ended. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LoopContext } from "./context.ts";

const FOLDER = "jobs";
/** Written by us: any other folder there is of an import or a comparison under way. */
const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const runFolder = (directory: string, id: string): string => join(directory, FOLDER, id);

/**
 * Deletes it. A step that is being canceled may write a last file meanwhile, so this tries for a second; what is left even then
 * is deleted at the next start and is no reason for a run not to end.
 */
export async function removeRunFolder({ directory, logger }: LoopContext, id: string): Promise<void> {
  const folder = runFolder(directory, id);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }).catch((error: unknown) => {
    logger.warn({ folder, error: String(error) }, "the folder of a run was not deleted");
  });
}

/** After a restart: deletes the folders of runs that ended without it. */
export async function removeEndedFolders(context: LoopContext): Promise<void> {
  const names = await readdir(join(context.directory, FOLDER)).catch(() => []);
  for (const id of names.filter((name) => RUN_ID.test(name))) {
    const state = (await context.store.runs.get(id))?.state;
    if (state !== "queued" && state !== "running") await removeRunFolder(context, id);
  }
}
