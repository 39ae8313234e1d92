/** What the suites of the store's contract share. */
import { expect } from "vitest";
import {
  createVirtualClock,
  LOG_START,
  type LogCursor,
  type Store,
  systemClock,
  type VirtualWorldClock,
} from "../../src/core/index.ts";
import { openStore } from "../../src/storage/store.ts";
import type { TestDatabase } from "../../src/testing/database.ts";
import { eventually, logSchema, START } from "../storage/support/events.ts";

/** The store a contract suite runs on; opened before its first test. */
export interface StorePlace {
  readonly test: TestDatabase;
  readonly store: Store;
  readonly clock: VirtualWorldClock;
  /** Another store on the same database, as another process would have. */
  openOne(): Promise<Store>;
  /** Reads until so many events are there: on a server, a transaction of any database that is still open hides later ones. */
  readAll(model: string, count: number, options?: object, cursor?: LogCursor): ReturnType<Store["log"]["readAfter"]>;
}

export async function openPlace(open: () => Promise<TestDatabase>): Promise<StorePlace> {
  const test = await open();
  const clock = createVirtualClock(START);
  const openOne = () =>
    openStore({
      database: test.database,
      directory: test.directory,
      worldClock: clock,
      systemClock,
      schemaOf: logSchema,
    });
  const store = await openOne();
  const readAll: StorePlace["readAll"] = async (model, count, options = {}, cursor = LOG_START) => {
    let read: Awaited<ReturnType<StorePlace["readAll"]>> | undefined;
    await eventually(async () => {
      read = await store.log.readAfter(model, cursor, { limit: 20, ...options });
      expect(read.events.length).toBeGreaterThanOrEqual(count);
    });
    return read as NonNullable<typeof read>;
  };
  return { test, store, clock, openOne, readAll };
}

export const codeOf = (error: unknown) => (error as { code?: string }).code;
export async function codeThrown(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}
