/**
 * The composition root: the one place that knows which database, engine and files stand behind the loop and the server. Opened in
 * the order of dependence, closed in the reverse; whatever fails to open closes what was opened before it.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { RetrainSpec } from "../config/spec.ts";
import { fail, type Logger, type Store, systemClock, type VirtualWorldClock, type WorldClock } from "../core/index.ts";
import { createDbosEngine, createJobPool, createModelHost } from "../engine/index.ts";
import { logSchemaOf } from "../loop/context.ts";
import { createLoop, type Loop, type ProcessRole } from "../loop/index.ts";
import { createServer, type Server } from "../server/index.ts";
import { openFileStore } from "../storage/files/object-store.ts";
import { readyTemplate } from "../storage/pglite/template.ts";
import { openDatabase } from "../storage/pool.ts";
import { openStore } from "../storage/store.ts";
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
}
export interface System {
  readonly loop: Loop;
  readonly store: Store;
  readonly server: Server;
  /** Stops answering, lets what is under way end, closes the store. Idempotent. */
  close(): Promise<void>;
}

/** Of the workflows' shape; raise it when a run's steps change, so that unfinished runs of an older release are not resumed by new code. */
const WORKFLOW_VERSION = "1";

/** @throws DIRECTORY_LOCKED, STORE_NOT_DURABLE, STORE_UNAVAILABLE, MIGRATION_FAILED, CONFIG_INVALID */
export async function openSystem(options: SystemOptions): Promise<System> {
  const { spec, worldClock, logger } = options;
  const { directory, databaseUrl } = spec.storage;
  const role = options.role ?? "all";
  const instance = options.instance ?? defaultInstance(role);
  if (role !== "all" && databaseUrl === undefined) {
    throw fail("USAGE", {
      message: `A process of role "${role}" shares its database with others, and the embedded database has one process only.`,
      remedy:
        "Set DATABASE_URL or --database-url, and give all processes the same data directory; or leave --role out.",
    });
  }
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(closers, logger);
    return closing;
  };
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const template = readyTemplate();
    const database = await openDatabase({
      ...(databaseUrl === undefined ? { directory } : { url: databaseUrl }),
      ...(template === undefined ? {} : { template }),
      systemClock,
      logger,
    });
    closers.unshift(() => database.close());
    // Filled below: the store asks for schemas only once the loop is there to have changed them.
    const built: { loop?: Loop } = {};
    const schemaOf = (name: string) => {
      const models = built.loop?.spec.models ?? spec.models;
      const found = models.find((model) => model.name === name);
      return found === undefined ? undefined : logSchemaOf(found);
    };
    const store = await openStore({ database, directory, worldClock, systemClock, schemaOf, logger });
    closers.unshift(() => store.close());
    const jobs = createJobPool({
      entry: jobEntry(),
      systemClock,
      logger,
      environment: grantedEnvironment(spec),
      ...(options.jobs === undefined ? {} : { size: options.jobs }),
    });
    closers.unshift(() => jobs.close());
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
    const starting = loop.start();
    closers.unshift(async () => {
      const isStarted = await starting.then(
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
    await starting;
    // The first run should not wait for a process to start, nor should the first answer.
    const warm = () => {
      if (role === "api") return;
      jobs.warm().catch((error: unknown) => logger.warn({ error: String(error) }, "training processes did not start"));
    };
    const listen: Server["listen"] = async (address) => {
      const listening = await server.listen(address);
      setImmediate(warm);
      return listening;
    };
    return { loop, store, server: { ...server, listen }, close };
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

/** The training process is always the built one: Node 20 cannot run TypeScript. */
function jobEntry(): URL {
  const here = fileURLToPath(import.meta.url);
  const besides = join(dirname(dirname(here)), "job", "main.js");
  return pathToFileURL(existsSync(besides) ? besides : join(packageRoot(), "dist", "src", "job", "main.js"));
}
