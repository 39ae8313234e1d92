import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { labelledRows, openTestServer, START, type TestServer, trainFirstVersion } from "../server/support.ts";
import { runCommand } from "./support.ts";

let open: TestServer;
let url: string;
let folder: string;
beforeAll(async () => {
  open = await openTestServer();
  await trainFirstVersion(open);
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
  folder = mkdtempSync(join(tmpdir(), "retrain-cli-"));
}, 60_000);
afterAll(async () => {
  await open.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const ROW = '{"age":61,"balance":120,"job":"nurse"}';
const ask = (...words: readonly string[]) => runCommand(...words, "--url", url);

/** The data of a command that must succeed, from the one line it prints. */
async function data(...words: readonly string[]) {
  const { code, stdout } = await ask(...words, "--json");
  expect([words.join(" "), code]).toEqual([words.join(" "), 0]);
  expect(stdout.endsWith("\n")).toBe(true);
  expect(stdout.trimEnd().includes("\n")).toBe(false);
  const envelope = JSON.parse(stdout) as { ok: boolean; data: unknown };
  expect(Object.keys(envelope)).toEqual(["ok", "data"]);
  expect(envelope.ok).toBe(true);
  // The shape is what each test looks at.
  // oxlint-disable-next-line typescript/no-explicit-any, typescript/no-unsafe-return
  return envelope.data as any;
}

describe("asking", () => {
  it("prints one line of JSON for every listing", async () => {
    expect((await data("status")).items[0]).toMatchObject({ name: "purchases", champion: "v1" });
    expect((await data("status", "purchases")).run.state).toBe("promoted");
    expect((await data("runs", "purchases")).items).toHaveLength(1);
    expect((await data("versions", "purchases")).items[0].name).toBe("v1");
    expect((await data("decisions", "--kind", "gate")).items[0].kind).toBe("gate");
    expect((await data("alerts")).items).toEqual([]);
    expect((await data("quarantine", "purchases")).items).toEqual([]);
    expect((await data("tokens")).items).toEqual([]);
  });

  it("prints tables for people", async () => {
    expect((await ask("status")).stdout).toContain("purchases");
    expect((await ask("versions", "purchases")).stdout).toContain("champion");
    expect((await ask("status", "purchases")).stdout).toContain("snapshot");
    expect((await ask("decisions")).stdout).toContain("trigger");
  });

  it("shows a run with its steps, its gate, and its training as table and curve", async () => {
    const id = (await data("runs", "purchases")).items[0].id as string;
    const { stdout } = await ask("runs", "show", id);
    for (const word of [
      "snapshot",
      "rollout",
      "Gate: promote",
      "trainLoss",
      "validationLoss",
      "└──",
      "older",
      "recent",
    ]) {
      expect(stdout).toContain(word);
    }
    expect((await data("runs", "show", id)).trace.length).toBeGreaterThan(1);
  });

  it("shows a version with its metrics, its gate, and what it looks at", async () => {
    const { stdout } = await ask("versions", "show", "purchases", "v1");
    for (const word of ["v1 of purchases", "logLoss", "Gate: promote", "change of answers", "age", "█"]) {
      expect(stdout).toContain(word);
    }
    expect((await ask("versions", "show", "purchases", "v1", "--features", "1")).stdout).toContain("… and 2 more");
    const { version, importance } = await data("versions", "show", "purchases", "v1");
    expect([version.name, importance.features.length]).toEqual(["v1", 3]);
    expect(await ask("versions", "show", "purchases", "v9")).toMatchObject({ code: 5, stdout: "" });
  });

  it("ends with 5 for what is not there", async () => {
    expect(await ask("runs", "show", "nobody")).toMatchObject({ code: 5, stdout: "" });
    const { code, stdout } = await ask("versions", "purchase", "--json");
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      error: {
        code: "MODEL_UNKNOWN",
        message: expect.stringContaining("purchase"),
        hint: 'Did you mean "purchases"?',
        docs: "docs/errors.md#model_unknown",
      },
    });
  });
});

describe("predicting and labelling", () => {
  it("answers a row, many rows, and shows the trace as a table", async () => {
    const one = await data("predict", "purchases", ROW);
    expect(one).toMatchObject({ version: "v1", logged: true });
    expect((await data("predict", "purchases", `[${ROW},${ROW}]`)).predictions).toHaveLength(2);
    const { stdout } = await ask("predict", "purchases", ROW, "--trace");
    for (const word of ["column", "filled", "scaled", "base value", "threshold", "decision"])
      expect(stdout).toContain(word);
    expect((await data("predict", "purchases", ROW, "--no-log")).logged).toBe(false);
    const label = await data("label", "purchases", one.exampleId as string, "true");
    expect(label).toMatchObject({ accepted: 1, labelled: 1 });
  });

  it("tells a row that is no JSON from one that breaks the schema", async () => {
    expect(await ask("predict", "purchases", "age=61")).toMatchObject({ code: 2, stdout: "" });
    // As null it would be a missing value that nobody meant.
    const infinite = await ask("predict", "purchases", '[{"age":61},{"age":1e999}]');
    expect(infinite).toMatchObject({ code: 2, stdout: "" });
    expect(infinite.stderr).toContain('"1.age"');
    const broken = await ask("predict", "purchases", '{"agee":1}');
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain("age");
  });

  it("sends files by their ending and lists what was refused", async () => {
    const rows = labelledRows(20, START, 31);
    const csv = join(folder, "rows.csv");
    const lines = rows.map(({ customer, at, age, balance, job, label }) =>
      [customer, new Date(at).toISOString(), age, balance, job, label].join(","),
    );
    writeFileSync(
      csv,
      ["customer,at,age,balance,job,label", ...lines, "bad,2026-01-01T00:00:00Z,900,1,nurse,true", ""].join("\n"),
    );
    expect(await data("ingest", "purchases", csv)).toMatchObject({ received: 21, accepted: 20, quarantined: 1 });
    const ndjson = join(folder, "rows.ndjson");
    writeFileSync(ndjson, rows.map((row) => JSON.stringify({ ...row, customer: `n-${row.customer}` })).join("\n"));
    expect((await ask("ingest", "purchases", ndjson)).stdout).toContain("20 rows received: 20 accepted");
    expect(await ask("ingest", "purchases", join(folder, "absent.csv"))).toMatchObject({ code: 2 });
    expect((await ask("quarantine", "purchases")).stdout).toContain("900");
    expect((await data("quarantine", "drop", "purchases")).dropped).toBe(1);
  });
});

describe("acting", () => {
  it("retrains, waits, and ends with 3 when the gate refuses", async () => {
    const { code, stdout } = await ask("run", "purchases", "--strategy", "warm-start", "--json", "--quiet");
    const { run } = JSON.parse(stdout).data as { run: { state: string } };
    expect([run.state, code]).toEqual([run.state, run.state === "promoted" ? 0 : 3]);
    expect((await ask("run", "purchases", "--strategy", "magic")).code).toBe(2);
  }, 60_000);

  it("promotes and rolls back with a reason, which it insists on", async () => {
    const items = (await data("versions", "purchases")).items as { name: string; role: string | null }[];
    const other = items.find(({ role }) => role === null)?.name ?? "v1";
    expect((await ask("promote", "purchases", other)).code).toBe(2);
    expect((await data("promote", "purchases", other, "--reason", "a test")).champion).toBe(other);
    expect((await data("rollback", "purchases", "--reason", "a test")).champion).not.toBe(other);
  });

  it("sends outcomes of examples and predictions, and refuses what is no number or no time", async () => {
    expect(await data("outcome", "purchases", "1-5", "complaint", "1")).toEqual({ accepted: 1 });
    const { predictionId } = await data("predict", "purchases", ROW);
    const at = "2026-01-05T00:00:00Z";
    const sent = ["outcome", "purchases", String(predictionId), "refund", "12.5", "--prediction", "--at", at];
    expect(await data(...sent)).toEqual({ accepted: 1 });
    const kept = await open.test.store.log.recent("purchases", { kind: "outcome", limit: 5 });
    expect(kept).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ exampleId: "1-5", name: "complaint", value: 1 }),
        expect.objectContaining({ predictionId, name: "refund", value: 12.5, at: Date.parse(at) }),
      ]),
    );
    expect((await ask("outcome", "purchases", "1-5", "complaint", "often")).code).toBe(2);
    expect((await ask("outcome", "purchases", "1-5", "complaint", "1", "--at", "soon")).code).toBe(2);
  });

  it("raises events and makes and ends tokens", async () => {
    expect((await data("event", "catalog-changed", "--details", '{"by":"test"}')).models).toEqual(["purchases"]);
    expect((await ask("event", "x", "--details", "nonsense")).code).toBe(2);
    const made = await data("tokens", "create", "shop", "--role", "labeler", "--scope", "predict");
    expect(made.secret).toMatch(/^rt_/);
    expect((await ask("tokens", "create", "shop", "--role", "owner")).code).toBe(2);
    expect((await data("tokens", "revoke", made.token.id as string)).revokedAt).toBeTypeOf("number");
  });

  it("reproduces a version", async () => {
    expect((await data("reproduce", "purchases", "v1")).equal).toBe(true);
    // A frozen dataset that lost a row trains another model, and the command says so.
    const { objects, store } = open.test;
    const key = `datasets/${(await store.registry.get("purchases", "v1"))?.datasetHash}.parquet`;
    const kept = await objects.get(key);
    const [whole, cut] = [join(folder, "whole.parquet"), join(folder, "cut.parquet")];
    writeFileSync(whole, kept);
    const duck = await (await DuckDBInstance.create()).connect();
    await duck.run(`copy (select * from '${whole}' offset 1) to '${cut}' (format parquet)`);
    await objects.put(key, readFileSync(cut));
    const differs = await ask("reproduce", "purchases", "v1", "--json");
    await objects.put(key, kept);
    expect([differs.code, JSON.parse(differs.stdout).error.code]).toEqual([1, "REPRODUCTION_DIFFERS"]);
  }, 60_000);
});

describe("a folder of its own", () => {
  const csv = [
    "customer_id,age,job,bought",
    ...Array.from(
      { length: 50 },
      (_, i) => `c${i},${20 + i},${i % 2 ? "clerk" : "nurse"},${i % 3 === 0 ? "yes" : "no"}`,
    ),
  ];

  it("gets a configuration from a CSV file, which loads, and is not overwritten", async () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      writeFileSync("customers.csv", `${csv.join("\n")}\n`);
      const made = await runCommand("init", "--from", "customers.csv", "--label", "bought", "--json");
      expect(made.code).toBe(0);
      expect(JSON.parse(made.stdout).data).toMatchObject({ model: "customers", task: "binary", rows: 50 });
      expect(made.stderr).toContain("customer_id");
      const again = await runCommand("init", "--from", "customers.csv", "--label", "bought");
      expect(again).toMatchObject({ code: 7 });
      expect(again.stderr).toContain("--force");
      const near = await runCommand("init", "--from", "customers.csv", "--label", "bougth", "--force");
      expect(near.stderr).toContain("bought");
      const checked = await runCommand("config", "check", "--json");
      expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, data: { models: ["customers"] } });
      const printed = await runCommand("config", "print");
      expect(printed.stdout).toMatch(/server\.port\s+4400\s+default/);
      expect(printed.stdout).toMatch(/models\.customers\.name\s+"customers"\s+file/);
      const doctor = await runCommand("doctor", "--json");
      expect(JSON.parse(doctor.stdout).data.findings.map(({ check }: { check: string }) => check)).toEqual(
        expect.arrayContaining(["node", "clock", "configuration", "directory", "disk"]),
      );
    } finally {
      process.chdir(before);
    }
  }, 30_000);
});
