import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrations } from "../../src/storage/migrations/index.ts";
import { findTestServer, openPostgresTestDatabase, type TestDatabase } from "../../src/testing/database.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const server = await findTestServer();
const skipReason = "skipReason" in server ? ` (skipped: ${server.skipReason})` : "";

/** A process that waits at the start line: `go` lets it run and returns what it migrated. */
async function startMigrator(url: string) {
  const child = spawn(process.execPath, [here("../storage/run-typescript.mjs"), here("./migrator.ts"), url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  return async () => {
    const answer = once(lines, "line");
    child.stdin.write("go\n");
    const [line] = (await answer) as [string];
    return JSON.parse(line) as string[];
  };
}

describe.skipIf(skipReason)(`migrations on a server${skipReason}`, () => {
  let test: TestDatabase & { readonly url: string };
  beforeAll(async () => {
    test = await openPostgresTestDatabase({ isMigrated: false });
  });
  afterAll(() => test?.dispose());

  it("run once when three processes start together", async () => {
    const starts = await Promise.all([startMigrator(test.url), startMigrator(test.url), startMigrator(test.url)]);
    const ran = await Promise.all(starts.map((start) => start()));
    expect(ran.flat().sort()).toEqual(Object.keys(migrations));
    const { rows } = await test.database.query("select name from kysely_migration order by 1");
    expect(rows.map((row) => row["name"])).toEqual(Object.keys(migrations));
  });
});
