/** The embedded back-end: the directory's lock, its cluster, the thread, and the pool's way to it. */
import { join } from "node:path";
import { type Logger, type SystemClock, silentLogger } from "../../core/index.ts";
import type { Backend } from "../backend.ts";
import { lockDirectory } from "../directory-lock.ts";
import { HealthMonitor } from "../health.ts";
import { PgliteHub } from "./hub.ts";
import { startMaintenance } from "./maintenance.ts";
import { builtTemplate } from "./template.ts";

/** Below the data directory, which also holds segments and artifacts. */
const CLUSTER_FOLDER = "database";

export interface EmbeddedOptions {
  readonly directory: string;
  readonly clock: SystemClock;
  readonly logger?: Logger | undefined;
  readonly template?: string | undefined;
  readonly onBegun?: (() => void) | undefined;
}

/** @throws DIRECTORY_LOCKED, STORE_NOT_DURABLE, STORE_UNAVAILABLE */
export async function embeddedBackend(options: EmbeddedOptions): Promise<Backend> {
  const { clock, logger = silentLogger } = options;
  const lock = await lockDirectory(options.directory);
  const health = new HealthMonitor();
  const stop = new AbortController();
  const cluster = join(options.directory, CLUSTER_FOLDER);
  const template = options.template ?? builtTemplate();
  const fault = process.env["RETRAIN_FAULT"];
  const hub = new PgliteHub({ directory: cluster, template, clock, logger, health, fault });
  try {
    const opening = hub.open();
    options.onBegun?.();
    await opening;
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    kind: "embedded",
    connection: {
      stream: () => hub.createStream(),
      // Nothing of the environment (PGHOST, PGSSLMODE, ...) may turn this connection elsewhere.
      host: "embedded",
      port: 1,
      user: "postgres",
      database: "postgres",
      password: "",
      ssl: false,
      idleTimeoutMillis: 0,
    },
    health,
    healthFromQueries: false,
    startMaintenance: (query) => {
      startMaintenance({ clock, logger, signal: stop.signal, requests: () => hub.requests, query });
    },
    look: () => hub.look(),
    beforeClose: () => stop.abort(new Error("closing")),
    close: async () => {
      await hub.close();
      lock.release();
    },
  };
}
