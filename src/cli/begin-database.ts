/**
 * The database is the first thing a server waits for, and needs little of the program: a command begins to open it before it loads
 * the rest.
 */
import { mkdir } from "node:fs/promises";
import type { RetrainSpec } from "../config/spec.ts";
import { fail, type Logger, systemClock } from "../core/index.ts";
import type { ProcessRole } from "../loop/context.ts";
import { readyTemplate } from "../storage/pglite/template.ts";
import { type Database, openDatabase } from "../storage/pool.ts";

export interface BeginOptions {
  readonly spec: RetrainSpec;
  readonly logger: Logger;
  readonly role?: ProcessRole | undefined;
}

export interface BegunDatabase {
  /** Open in the end. @throws USAGE, and what `openDatabase` throws */
  readonly database: Promise<Database>;
}

/** Resolves as soon as the database opens without this thread, which then loads the rest of the program. */
export async function beginDatabase({ spec, logger, role = "all" }: BeginOptions): Promise<BegunDatabase> {
  let database: Promise<Database> | undefined;
  await new Promise<void>((resolve) => {
    database = open(spec, { logger, role, onBegun: resolve });
    // Its failure is told to whoever awaits it.
    database.then(
      () => resolve(),
      () => resolve(),
    );
  });
  return { database: database as unknown as Promise<Database> };
}

async function open(
  spec: RetrainSpec,
  { logger, role, onBegun }: { logger: Logger; role: ProcessRole; onBegun: () => void },
): Promise<Database> {
  const { directory, databaseUrl } = spec.storage;
  if (role !== "all" && databaseUrl === undefined) {
    throw fail("USAGE", {
      message: `A process of role "${role}" shares its database with others, and the embedded database has one process only.`,
      remedy:
        "Set DATABASE_URL or --database-url, and give all processes the same data directory; or leave --role out.",
    });
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const template = readyTemplate();
  return await openDatabase({
    ...(databaseUrl === undefined ? { directory } : { url: databaseUrl }),
    ...(template === undefined ? {} : { template }),
    systemClock,
    logger,
    onBegun,
  });
}
