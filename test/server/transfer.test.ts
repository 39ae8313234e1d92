import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { approve } from "../../src/cli/commands/approve.ts";
import { compare } from "../../src/cli/commands/compare.ts";
import { exportVersion, importVersion } from "../../src/cli/commands/transfer.ts";
import { DAY_MS, type RunRecord } from "../../src/core/index.ts";
import { createClient } from "../../src/client/index.ts";
import { GraphBuilder } from "../../src/model/onnx/graph.ts";
import { labelledRows, openTestServer, START, type TestServer, trainFirstVersion } from "./support.ts";

/** Says 0.9 of everybody. */
function certainModel(): Uint8Array {
  const graph = new GraphBuilder();
  for (const name of ["age", "balance"]) graph.input(name, "float");
  graph.input("job", "string");
  const known = graph.node("Where", [graph.node("IsNaN", ["age"]), graph.scalar("float", 0), "age"]);
  const nothing = graph.node("Mul", [known, graph.scalar("float", 0)]);
  graph.node("Add", [nothing, graph.scalar("float", 0.9)], {}, { output: "probability" });
  graph.output("probability", "float", 1);
  return graph.encode({ name: "certain", producer: "test", notes: {} });
}

describe("versions over HTTP", () => {
  let from: TestServer;
  let url: string;
  beforeAll(async () => {
    from = await openTestServer();
    await trainFirstVersion(from);
    ({ url } = await from.server.listen({ host: "127.0.0.1", port: 0 }));
  }, 60_000);
  afterAll(async () => from?.dispose());

  it("go out by one command and come back by another, exit code and all", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "export-")), "v1.retrain");
    const options = { url, json: true, quiet: true };
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await exportVersion("purchases", "v1", { ...options, out, format: "retrain" });
    await expect(exportVersion("purchases", "v1", { ...options, out, format: "retrain" })).rejects.toMatchObject({
      code: "FILE_EXISTS",
    });
    await expect(exportVersion("purchases", "v1", { ...options, out, format: "pickle" })).rejects.toMatchObject({
      code: "USAGE",
    });
    await expect(
      exportVersion("purchases", "v9", { ...options, out: `${out}2`, format: "retrain" }),
    ).rejects.toMatchObject({
      code: "VERSION_UNKNOWN",
    });
    // The server trusts its own key. The run that judges it compares v1 with itself: not worse.
    expect(await importVersion("purchases", out, { ...options, wait: true })).toBe(0);
    await expect(importVersion("purchases", `${out}.absent`, { ...options, wait: true })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const { items } = await createClient({ url }).versions("purchases");
    expect(items.map(({ name, imported }) => [name, imported?.version])).toEqual([
      ["v2", "v1"],
      ["v1", undefined],
    ]);
  }, 60_000);

  it("go out and come in as ONNX too, told apart by the file's ending", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "export-")), "v1.onnx");
    const options = { url, json: true, quiet: true };
    const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await exportVersion("purchases", "v1", { ...options, out, format: "onnx" });
    await importVersion("purchases", out, { ...options, wait: false });
    expect(printed.mock.calls.at(-1)?.[0]).toMatch(/"signedBy":null/);
    const { items } = await createClient({ url }).versions("purchases");
    expect(items[0]).toMatchObject({ name: "v3", trainer: "command", imported: { model: "onnx" } });
  }, 120_000);

  it("go in as ONNX where nothing is live yet, and are the first champion", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "export-")), "first.onnx");
    const options = { json: true, quiet: true };
    const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    await exportVersion("purchases", "v1", { ...options, url, out, format: "onnx" });
    const { data } = JSON.parse(String(printed.mock.calls.at(-1)?.[0])) as {
      data: { inputs: unknown; outputs: unknown };
    };
    expect(data.inputs).toEqual([
      { name: "age", type: "float32", dims: [-1, 1] },
      { name: "balance", type: "float32", dims: [-1, 1] },
      { name: "job", type: "string", dims: [-1, 1] },
    ]);
    expect(data.outputs).toEqual([
      { name: "decision", type: "bool", dims: [-1, 1] },
      { name: "probabilities", type: "float32", dims: [-1, 2] },
    ]);
    const to = await openTestServer();
    try {
      const payload = labelledRows(1200, START - 20 * DAY_MS, 5, 20 * 60_000);
      const sent = await to.server.app.inject({ method: "POST", url: "/api/v1/models/purchases/examples", payload });
      expect(sent.statusCode).toBe(200);
      const there = await to.server.listen({ host: "127.0.0.1", port: 0 });
      // There is enough to train a first version, too; what is there already is judged before, one after the other.
      const certain = join(dirname(out), "certain.onnx");
      writeFileSync(certain, certainModel());
      const bring = async (file: string) => {
        const code = await importVersion("purchases", file, { ...options, url: there.url, wait: true });
        const answer = JSON.parse(String(printed.mock.calls.at(-1)?.[0])) as { data: { run: RunRecord } };
        return { code, run: answer.data.run };
      };
      expect(await bring(certain)).toMatchObject({ run: { state: "rejected", version: "v1" } });
      expect(await bring(out)).toMatchObject({ code: 0, run: { state: "promoted", version: "v2" } });
      const versions = await createClient({ url: there.url }).versions("purchases");
      expect(versions.items.find(({ name }) => name === "v2")).toMatchObject({ role: "champion", trainer: "command" });
    } finally {
      await to.dispose();
    }
  }, 120_000);

  it("are compared and approved by command, as the roles allow", async () => {
    const written: string[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    await compare("purchases", "v1", "v2", { url, json: false, quiet: true });
    expect(written.join("")).toMatch(/purchases: v2 against v1 on \d+ rows that neither was trained on/);
    expect(written.join("")).toMatch(/logLoss +0\.\d+ +0\.\d+ +0 +0 to 0/);
    expect(written.join("")).toMatch(/logLoss +older +\d+ +0\.\d+ +0\.\d+ +0\n *logLoss +recent +\d+/);
    await compare("purchases", "v1", "v2", { url, json: false, quiet: true, metric: "accuracy" });
    expect(written.at(-1)).toMatch(/Slices by accuracy/);
    await expect(
      compare("purchases", "v1", "v2", { url, json: true, quiet: true, metric: "acuracy" }),
    ).rejects.toMatchObject({ code: "BODY_INVALID", hint: 'Did you mean "accuracy"?' });
    const same = await from.server.app.inject({ method: "GET", url: "/api/v1/models/purchases/compare?a=v1&b=v1" });
    expect(same.json()).toMatchObject({ code: "BODY_INVALID", status: 400 });
    // No gate of this model asks for approval.
    const said = approve("purchases", "v2", { url, json: true, quiet: true, reason: "fine", wait: true });
    await expect(said).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await createClient({ url }).approvals("purchases", "v2")).items).toEqual([]);
  }, 60_000);

  it("are refused as another content type, and as an altered file", async () => {
    const post = (payload: Buffer, type: string) =>
      from.server.app.inject({
        method: "POST",
        url: "/api/v1/models/purchases/imports",
        payload,
        headers: { "content-type": type },
      });
    expect((await post(Buffer.from("{}"), "application/json")).json()).toMatchObject({ code: "FORMAT_UNSUPPORTED" });
    expect((await post(Buffer.alloc(2_000, 1), "application/x-tar")).json()).toMatchObject({ code: "IMPORT_INVALID" });
    expect((await post(Buffer.alloc(2_000, 1), "application/onnx")).json()).toMatchObject({ code: "MODEL_INVALID" });
    const key = await from.server.app.inject({ method: "GET", url: "/api/v1/export-key" });
    expect(key.json().publicKey).toMatch(/^ed25519:/);
  });
});
