/** The seam between the pool and the two kinds of database below it. */
import type pg from "pg";
import type { HealthMonitor } from "./health.ts";

/** What a back-end brings: how to connect, what to watch, how to end. */
export interface Backend {
  readonly kind: "embedded" | "server";
  readonly connection: pg.PoolConfig;
  readonly health: HealthMonitor;
  /** False where the back-end itself watches the store and a failed query is not news. */
  readonly healthFromQueries: boolean;
  /** Chores that a server does by itself; called once the pool exists. */
  startMaintenance?(query: (sql: string) => Promise<{ readonly rows: readonly Record<string, unknown>[] }>): void;
  /** Takes in replies that have arrived, before the event loop comes to them. Cheap. */
  look?(): void;
  beforeClose?(): void;
  /** Called when the pool has ended. */
  close(): Promise<void>;
}
