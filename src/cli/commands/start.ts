/** `retrain start`: the server with the configuration of a folder, until a signal. */
import { loadConfig, watchConfig } from "../../config/index.ts";
import { liveWorldClock, type Logger } from "../../core/index.ts";
import { removeAddress, writeAddress } from "../address.ts";
import type { ProcessRole } from "../../loop/index.ts";
import { beginDatabase } from "../begin-database.ts";
import type { System } from "../compose.ts";
import { createLogger } from "../logger.ts";
import { untilInterrupted } from "../signals.ts";

export interface StartOptions {
  readonly config: string;
  readonly host?: string;
  readonly port?: number;
  readonly dir?: string;
  readonly databaseUrl?: string;
  readonly requireTokens?: boolean;
  readonly role?: ProcessRole;
  readonly instance?: string;
}

export async function start(options: StartOptions): Promise<void> {
  const { config, host, port, dir, databaseUrl } = options;
  const flags = {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(dir === undefined ? {} : { dir }),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
  };
  const layers = { environment: process.env, flags };
  const loaded = await loadConfig(config, layers);
  const { spec } = loaded;
  const logger = createLogger(process.env["LOG_LEVEL"] ?? "info", process.stderr.isTTY === true);
  const { role } = options;
  const begun = await beginDatabase({ spec, logger, role });
  // Loaded only now: the database opens meanwhile.
  const { openSystem } = await import("../compose.ts");
  const interrupted = untilInterrupted();
  const adminSecret = process.env["RETRAIN_ADMIN_TOKEN"];
  const system = await openSystem({
    spec,
    worldClock: liveWorldClock,
    logger,
    requireTokens: options.requireTokens ?? false,
    begun,
    ...(role === undefined ? {} : { role }),
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    ...(adminSecret === undefined || adminSecret === "" ? {} : { adminSecret }),
  });
  try {
    const { url } = await system.server.listen({ host: spec.server.host, port: spec.server.port });
    // Commands run in this folder find the server by it; a worker is not the one they look for.
    if (role !== "worker") writeAddress(spec.storage.directory, url);
    process.stderr.write(
      `${welcome(
        spec.models.map(({ name }) => name),
        url,
        loaded.path,
      )}\n`,
    );
    const watcher = followConfig(config, layers, system, logger);
    await interrupted.done;
    watcher.close();
    process.stderr.write("Shutting down: answering what is under way.\n");
  } finally {
    removeAddress(spec.storage.directory);
    await system.close();
  }
}

function welcome(models: readonly string[], url: string, path: string): string {
  const list = models.join(", ");
  return `retrain serves ${list} at ${url}\n  console  ${url}\n  config   ${path}\n  stop     Ctrl+C`;
}

/** A changed configuration replaces the running one when it is good; a bad one is reported and changes nothing. */
function followConfig(where: string, layers: Parameters<typeof watchConfig>[1], system: System, logger: Logger) {
  return watchConfig(where, layers, {
    onChange: async ({ spec, path }) => {
      await system.loop.reconfigure(spec);
      logger.info({ path }, "the changed configuration is in force");
    },
    onError: (error) => {
      logger.error(
        { code: error.code, remedy: error.remedy },
        `the changed configuration is refused, the old one stays: ${error.message}`,
      );
    },
  });
}
