/** Everything `retrain start` does, as a function: for programs that embed the loop, with or without its HTTP server. */
import { type ConfigDefinition, type Model, type RetrainSpec, resolveConfig } from "../config/index.ts";
import { createVirtualClock, type Instant, liveWorldClock, type Logger, silentLogger } from "../core/index.ts";
import type { Loop } from "../loop/contract.ts";

export interface RetrainOptions {
  /** What `defineConfig` returns, or a specification that is resolved already. */
  readonly config: ConfigDefinition<readonly Model[]> | RetrainSpec;
  /** What relative paths of the configuration are relative to. Default: the working directory. */
  readonly folder?: string;
  readonly logger?: Logger;
  /** Replay: the world clock is virtual, begins here, and moves by `loop.advance` or `/api/v1/replay/advance` alone. */
  readonly replayFrom?: Instant;
  /** Secret of role admin, at least 32 characters; needed to listen beyond loopback while there is no token. */
  readonly adminSecret?: string;
  readonly requireTokens?: boolean;
}

export interface Retrain {
  readonly loop: Loop;
  /** Starts the HTTP server where the configuration says, or elsewhere. @throws BIND_REFUSED, PORT_IN_USE */
  listen(address?: {
    readonly host?: string;
    readonly port?: number;
  }): Promise<{ readonly url: string; readonly port: number }>;
  close(): Promise<void>;
}

/**
 * Opens the store, starts the loop, and hands both over.
 * @throws CONFIG_INVALID, CONFIG_KEY_UNKNOWN, DIRECTORY_LOCKED, STORE_NOT_DURABLE, STORE_UNAVAILABLE, MIGRATION_FAILED
 */
export async function createRetrain(options: RetrainOptions): Promise<Retrain> {
  const { config, folder = process.cwd(), logger = silentLogger } = options;
  const spec = "origins" in config ? config : resolveConfig(config, { folder, environment: process.env });
  const worldClock = options.replayFrom === undefined ? liveWorldClock : createVirtualClock(options.replayFrom);
  // Loaded now and not with the package: a configuration file imports the package for its builders alone.
  const { openSystem } = await import("./compose.ts");
  const system = await openSystem({
    spec,
    worldClock,
    logger,
    replay: options.replayFrom !== undefined,
    requireTokens: options.requireTokens ?? false,
    ...(options.adminSecret === undefined ? {} : { adminSecret: options.adminSecret }),
  });
  return {
    loop: system.loop,
    listen: ({ host = spec.server.host, port = spec.server.port } = {}) => system.server.listen({ host, port }),
    close: () => system.close(),
  };
}
