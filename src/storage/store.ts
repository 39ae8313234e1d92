/** The store: one database for records and the tail of the log, one folder for its segments, DuckDB between them. */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type Logger,
  type LogSchema,
  type Store,
  type SystemClock,
  silentLogger,
  uuidV7,
  type WorldClock,
} from "../core/index.ts";
import { openAnalytics } from "./analytics.ts";
import { APPEND_LIMITS, type AppendLimits } from "./log/append.ts";
import { openEventLog } from "./log/event-log.ts";
import { migrate } from "./migrations.ts";
import type { Database } from "./pool.ts";
import { guardDatabase, StoreHealthMonitor } from "./store-health.ts";
import type { SqlDatabase } from "./sql.ts";
import { createAlertStore } from "./tables/alerts.ts";
import { createDecisionStore } from "./tables/decisions.ts";
import { createFoldStore } from "./tables/folds.ts";
import { createLabelingStore } from "./tables/labeling.ts";
import { rememberIdle } from "./tables/labeling-memory.ts";
import { createGateStore } from "./tables/gates.ts";
import { createProfileStore } from "./tables/profiles.ts";
import { createQuarantineStore } from "./tables/quarantine.ts";
import { createRegistryStore, type VersionMemory } from "./tables/registry.ts";
import { createRolloutStore } from "./tables/rollouts.ts";
import { watchRouting } from "./tables/routing.ts";
import { RowMemory } from "./tables/row-memory.ts";
import { createRunStore } from "./tables/runs.ts";
import { createSettingsStore, type SettingMemory } from "./tables/settings.ts";

export interface StoreOptions {
  readonly database: Database;
  /** The data directory; segments lie in its folder `segments`. */
  readonly directory: string;
  readonly worldClock: WorldClock;
  readonly systemClock: SystemClock;
  /** What the log must know of a model to write typed columns; a model unknown to it is kept whole in one column. */
  readonly schemaOf: (model: string) => LogSchema | undefined;
  readonly logger?: Logger;
  readonly logLimits?: Partial<AppendLimits>;
  /** Called between copy and swap of a compaction: for tests of late commits. */
  readonly beforeSwap?: () => Promise<void>;
}

/**
 * Brings the schema up to date and opens the store. Closing it does not close the database, which the engine shares.
 * @throws MIGRATION_FAILED, STORE_UNAVAILABLE
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { database, systemClock, worldClock, schemaOf, logger = silentLogger } = options;
  // DuckDB gets paths as text, relative to a working directory that may change.
  const directory = resolve(options.directory);
  const folder = join(directory, "segments");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await migrate(database);
  const analytics = await openAnalytics(directory);
  const background = await openAnalytics(directory, "spill-background", { threads: 1 });
  // The directory lock keeps every other process out of an embedded database.
  const isOnlyWriter = database.kind === "embedded";
  const raw: SqlDatabase = database;
  const health = new StoreHealthMonitor({ database: raw, directory, clock: systemClock, logger });
  const guarded = guardDatabase(raw, health);
  const stopWatching = database.onUnavailable((reason) => health.unavailable(reason));
  const log = await openEventLog({
    database: guarded,
    look: () => database.look(),
    isOnlyWriter,
    analytics,
    background,
    folder,
    worldClock,
    systemClock,
    health,
    schemaOf,
    logger,
    limits: { ...APPEND_LIMITS, ...options.logLimits },
    ...(options.beforeSwap === undefined ? {} : { beforeSwap: options.beforeSwap }),
  });
  const routing = await watchRouting(
    {
      query: (text, values) => guarded.query(text, values),
      listen: (channel, listener) => database.listen(channel, listener),
    },
    systemClock,
    (error) => logger.debug({ error: String(error) }, "Routing could not be read; it is tried again in a second"),
  );
  // Not the engine's id: a process that restarts is another replica until the old one's heartbeat has gone stale.
  const replica = uuidV7(systemClock.now());
  const versions: VersionMemory = new RowMemory(isOnlyWriter);
  const settings: SettingMemory = new RowMemory(isOnlyWriter);
  let closed: Promise<void> | undefined;
  return {
    log,
    folds: createFoldStore(guarded, isOnlyWriter, async (model, since, until) => {
      const range = since === undefined ? { until } : { since, until };
      const { events } = await log.counts(model, range);
      return events.observation + events.prediction + events.label + events.outcome > 0;
    }),
    runs: createRunStore(guarded, isOnlyWriter),
    registry: createRegistryStore(guarded, routing, { replica, versions }),
    rollouts: createRolloutStore(guarded, routing, { replica, isShared: !isOnlyWriter, versions }),
    decisions: createDecisionStore(guarded, settings),
    alerts: createAlertStore(guarded, systemClock),
    quarantine: createQuarantineStore(guarded),
    settings: createSettingsStore(guarded, systemClock, { memory: settings, isOnlyWriter }),
    gates: createGateStore(guarded),
    labeling: rememberIdle(createLabelingStore(guarded), isOnlyWriter),
    profiles: createProfileStore(guarded, isOnlyWriter),
    health: () => health.health(),
    onHealth: (listener) => health.onHealth(listener),
    close() {
      closed ??= (async () => {
        await log.close();
        stopWatching();
        await routing.close();
        await health.close();
        analytics.close();
        background.close();
      })();
      return closed;
    },
  };
}
