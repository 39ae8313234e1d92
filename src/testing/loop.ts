/** A whole loop over real parts for tests: embedded store, in-process engine, real training processes, a virtual clock. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { resolveConfig } from "../config/index.ts";
import {
  createVirtualClock,
  type Engine,
  type Instant,
  type JobPool,
  type ObjectStore,
  silentLogger,
  type Store,
  systemClock,
  type VirtualWorldClock,
} from "../core/index.ts";
import { createJobPool, createModelHost, createVirtualEngine } from "../engine/index.ts";
import { createLoop } from "../loop/index.ts";
import { logSchemaOf } from "../loop/context.ts";
import { openFileStore } from "../storage/files/object-store.ts";
import { openStore } from "../storage/store.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";

export interface TestLoop {
  readonly loop: ReturnType<typeof createLoop>;
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly clock: VirtualWorldClock;
  readonly engine: Engine;
  readonly jobs: JobPool;
  readonly directory: string;
  dispose(): Promise<void>;
}

/** The training process as built: Node 20 cannot run the sources themselves. */
export function builtJobEntry(): URL {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return pathToFileURL(join(folder, "dist", "src", "bundle", "job.cjs"));
}

/** @param start where the virtual clock begins */
export async function openTestLoop(
  config: unknown,
  start: Instant,
  options: {
    database?: TestDatabase;
    jobEntry?: URL;
    environment?: readonly string[];
    /** The program of ONNX models' processes; default the built one. */
    hostEntry?: string;
  } = {},
): Promise<TestLoop> {
  const test = options.database ?? (await openTestDatabase());
  const clock = createVirtualClock(start);
  const spec = resolveConfig(config, { folder: test.directory, environment: {}, flags: {} });
  const schemas = new Map(spec.models.map((model) => [model.name, logSchemaOf(model)]));
  const store = await openStore({
    database: test.database,
    directory: test.directory,
    worldClock: clock,
    systemClock,
    schemaOf: (model) => schemas.get(model),
  });
  const objects = openFileStore(join(test.directory, "objects"));
  const engine = createVirtualEngine({ systemClock, logger: silentLogger });
  const jobs = createJobPool({
    entry: options.jobEntry ?? builtJobEntry(),
    size: 1,
    systemClock,
    logger: silentLogger,
    environment: options.environment ?? [],
  });
  const modelHost = createModelHost({
    systemClock,
    logger: silentLogger,
    ...(options.hostEntry === undefined ? {} : { entry: options.hostEntry }),
  });
  const loop = createLoop({
    modelHost,
    spec,
    store,
    objects,
    engine,
    jobs,
    worldClock: clock,
    systemClock,
    logger: silentLogger,
    directory: test.directory,
  });
  await loop.start();
  return {
    loop,
    store,
    objects,
    clock,
    engine,
    jobs,
    directory: test.directory,
    async dispose() {
      await loop.stop();
      await jobs.close();
      await modelHost.close();
      await store.close();
      if (options.database === undefined) await test.dispose();
    },
  };
}
