/**
 * The composition root: the one place that knows which database, engine and files stand behind the loop and the server. Opened in
 * the order of dependence, closed in the reverse; whatever fails to open closes what was opened before it.
 */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RetrainSpec } from "../config/spec.ts";
import { type Logger, type Store, systemClock, type VirtualWorldClock, type WorldClock } from "../core/index.ts";
import { createDbosEngine, createJobPool, createModelHost, loadEngine } from "../engine/index.ts";
import { logSchemaOf } from "../loop/context.ts";
import { createLoop, type Loop, type ProcessRole } from "../loop/index.ts";
import { createServer, loadServer, type Server } from "../server/index.ts";
import { openFileStore } from "../storage/files/object-store.ts";
import { openStore } from "../storage/store.ts";
import { type BegunDatabase, beginDatabase } from "./begin-database.ts";
import { packageRoot, packageVersion } from "./package-info.ts";

export interface SystemOptions {
  readonly spec: RetrainSpec;
  readonly worldClock: WorldClock | VirtualWorldClock;
  readonly logger: Logger;
  readonly replay?: boolean;
  readonly requireTokens?: boolean;
  readonly adminSecret?: string;
  /** Training processes at a time. Default: one per core. */
  readonly jobs?: number;
  /** Default `all`: one process that does everything. */
  readonly role?: ProcessRole;
  /** Default: `main`, or the role with the machine's name and the process's number. */
  readonly instance?: string;
  /** The database, where it was begun before this file was loaded. It is closed with the system. */
  readonly begun?: BegunDatabase;
}
export interface System {
  readonly loop: Loop;
  readonly store: Store;
  readonly server: Server;
  /** The loop and its engine have started. Rejects with what kept them from it; whoever waits then closes the system. */
  readonly started: Promise<void>;
  /** Stops answering, lets what is under way end, closes the store. Idempotent. */
  close(): Promise<void>;
}

/** Of the workflows' shape; raise it when a run's steps change, so that unfinished runs of an older release are not resumed by new code. */
const WORKFLOW_VERSION = "1";

/** @throws DIRECTORY_LOCKED, STORE_NOT_DURABLE, STORE_UNAVAILABLE, MIGRATION_FAILED, CONFIG_INVALID */
export async function openSystem(options: SystemOptions): Promise<System> {
  const system = await beginSystem(options);
  try {
    await system.started;
  } catch (error) {
    await system.close();
    throw error;
  }
  return system;
}

/** The same for callers that have something to do before the loop runs: the server can listen, and the log takes rows. */
export async function beginSystem(options: SystemOptions): Promise<System> {
  const { spec, worldClock, logger } = options;
  const { directory } = spec.storage;
  const role = options.role ?? "all";
  const instance = options.instance ?? defaultInstance(role);
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(closers, logger);
    return closing;
  };
  try {
    const begun = options.begun ?? (await beginDatabase({ spec, logger, role }));
    closers.unshift(async () => (await begun.database.catch(() => undefined))?.close());
    const jobs = createJobPool({
      entry: jobEntry(),
      systemClock,
      logger,
      environment: grantedEnvironment(spec),
      ...(options.jobs === undefined ? {} : { size: options.jobs }),
    });
    let isClosing = false;
    closers.unshift(() => {
      isClosing = true;
      return jobs.close();
    });
    // The first run should not wait for a process to start. It starts now because starting one copies this process's tables of
    // memory, which are small yet: later each takes a tenth of a second, during which nobody is answered.
    if (role !== "api")
      jobs.warm(1).catch((error: unknown) => {
        // Where the directory is another server's, the end comes first, and its reason is what there is to say.
        if (!isClosing) logger.warn({ error: String(error) }, "no training process started");
      });
    // The database opens in a thread of its own; what this one needs for its answers and its runs loads meanwhile.
    loadEngine();
    await loadServer();
    const database = await begun.database;
    // Filled below: the store asks for schemas only once the loop is there to have changed them.
    const built: { loop?: Loop } = {};
    const schemaOf = (name: string) => {
      const models = built.loop?.spec.models ?? spec.models;
      const found = models.find((model) => model.name === name);
      return found === undefined ? undefined : logSchemaOf(found);
    };
    const store = await openStore({ database, directory, worldClock, systemClock, schemaOf, logger });
    closers.unshift(() => store.close());
    const modelHost = createModelHost({ systemClock, logger });
    closers.unshift(() => modelHost.close());
    const engine = createDbosEngine({
      pool: database.pool,
      systemClock,
      logger,
      executorId: instance,
      role,
      applicationVersion: WORKFLOW_VERSION,
    });
    const objects = openFileStore(join(directory, "objects"));
    const ports = { store, objects, engine, jobs, worldClock, systemClock, logger, modelHost };
    const loop = createLoop({ ...ports, spec, directory, role, instance });
    built.loop = loop;
    // Side by side: the one computes, the other waits for the database.
    const started = loop.start();
    // Told to whoever waits for it, which may be later than it fails.
    started.catch(() => {});
    closers.unshift(async () => {
      const isStarted = await started.then(
        () => true,
        () => false,
      );
      if (isStarted) await loop.stop();
    });
    const server = await createServer({
      loop,
      systemClock,
      logger,
      version: packageVersion(),
      consoleFolder: join(packageRoot(), "dist", "console"),
      replay: options.replay ?? false,
      requireTokens: options.requireTokens ?? false,
      ...(options.adminSecret === undefined ? {} : { adminSecret: options.adminSecret }),
    });
    closers.unshift(() => server.close());
    return { loop, store, server, started, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A process that does everything is the only one; of others there are many, on many machines. */
const defaultInstance = (role: ProcessRole) => (role === "all" ? "main" : `${role}-${hostname()}-${process.pid}`);

async function closeAll(closers: readonly (() => Promise<void>)[], logger: Logger): Promise<void> {
  for (const one of closers) {
    try {
      await one();
    } catch (error) {
      logger.error({ error: String(error) }, "a part did not close well");
    }
  }
}

/** Variables that external trainers were granted; each program then sees its own only. */
function grantedEnvironment(spec: RetrainSpec): string[] {
  const names = spec.models.flatMap(({ trainer }) => (trainer.params["environment"] ?? []) as readonly string[]);
  return [...new Set(names)];
}

/** The training process is always the built one: Node 20 cannot run TypeScript. From the few files of the bundle where there is one. */
function jobEntry(): URL {
  const built = join(packageRoot(), "dist", "src");
  const bundle = join(built, "bundle", "job.cjs");
  return pathToFileURL(existsSync(bundle) ? bundle : join(built, "job", "main.js"));
}
