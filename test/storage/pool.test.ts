import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { HealthMonitor, isUnavailable, translateDatabaseError } from "../../src/storage/health.ts";
import { openDatabase, unsupportedVersion } from "../../src/storage/pool.ts";
import { refusedStatement } from "../../src/storage/statements.ts";

describe("opening a database", () => {
  it("needs a URL or a directory", async () => {
    await expect(openDatabase({ systemClock })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
  it("refuses a server older than 15", () => {
    expect(unsupportedVersion(149_999, "14.9")).toMatchObject({ code: "DATABASE_UNSUPPORTED" });
    expect(unsupportedVersion(149_999, "14.9")?.message).toContain("14.9");
    expect(unsupportedVersion(150_000, "15.0")).toBeUndefined();
  });
});

describe("statements of one session", () => {
  it.each([
    "set search_path to other",
    "  SET statement_timeout = 0",
    "set session characteristics as transaction read only",
    "select pg_advisory_lock(1)",
    "select pg_try_advisory_lock_shared (1)",
    "create temporary table t (a int)",
    "create local temp table t (a int)",
    "LISTEN news",
    "unlisten *",
    "prepare p as select 1",
    "deallocate all",
    "discard all",
    "BEGIN",
    "start transaction read only",
    "commit",
    "rollback",
    "end",
  ])("are refused: %s", (text) => {
    expect(refusedStatement(text)).toMatchObject({ code: "STATEMENT_REFUSED" });
  });

  it.each([
    "set local search_path to other",
    "set transaction isolation level serializable",
    "set constraints all deferred",
    "select pg_advisory_xact_lock(1)",
    "select pg_try_advisory_xact_lock(1)",
    "create table temperature (a int)",
    "update item set body = 'x'",
    "select 'begin'",
    "rollback to savepoint a",
    "savepoint a",
    "select pg_notify('a', 'b')",
  ])("are allowed: %s", (text) => {
    expect(refusedStatement(text)).toBeUndefined();
  });
});

describe("errors of the driver", () => {
  it.each([
    [{ code: "ECONNREFUSED", message: "connect ECONNREFUSED" }, true],
    [{ code: "57P01", message: "terminating connection due to administrator command" }, true],
    [{ code: "57P03", message: "the database system is starting up" }, true],
    [{ code: "08006", message: "connection failure" }, true],
    [{ code: "53300", message: "sorry, too many clients already" }, true],
    [{ message: "Connection terminated unexpectedly" }, true],
    [{ message: "timeout exceeded when trying to connect" }, true],
    [{ code: "23505", message: "duplicate key value" }, false],
    [{ code: "40001", message: "could not serialize access" }, false],
    [{ code: "57014", message: "canceling statement due to statement timeout" }, false],
    [{ message: "something else" }, false],
  ])("%j: unavailable is %s", (parts, expected) => {
    const error = Object.assign(new Error(parts.message), parts);
    expect(isUnavailable(error)).toBe(expected);
    const translated = translateDatabaseError(error);
    if (expected) expect(translated).toMatchObject({ code: "STORE_UNAVAILABLE", retryable: true, cause: error });
    else expect(translated).toBe(error);
  });

  it("tell a full disk", () => {
    const error = Object.assign(new Error("could not extend file"), { code: "53100" });
    expect(translateDatabaseError(error)).toMatchObject({ code: "STORE_FULL", retryable: true, cause: error });
  });
});

describe("health", () => {
  it("tells changes, not repetitions, and forgets a listener", () => {
    const health = new HealthMonitor();
    const told: string[] = [];
    const stop = health.listen(({ state }) => told.push(state));
    health.up();
    health.down("first");
    health.down("second");
    expect(health.current).toEqual({ state: "down", reason: "second" });
    health.up();
    stop();
    health.down("third");
    expect(told).toEqual(["down", "up"]);
  });
});
