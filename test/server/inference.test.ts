import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const client = spawnSync(process.execPath, [file("../../scripts/triton-client.mjs")], { encoding: "utf8" });

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

describe("the Open Inference Protocol", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await openTestServer();
  }, 60_000);
  afterAll(async () => server?.dispose());

  const ask = async (method: "GET" | "POST", url: string, payload?: object | Buffer, headers = {}) => {
    const response = await server.server.app.inject({
      method,
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
  };
  const infer = (inputs: readonly object[], more: object = {}, path = "/v2/models/purchases/infer") =>
    ask("POST", path, { inputs, ...more });
  const column = (
    name: string,
    datatype: string,
    data: readonly unknown[],
    shape: readonly number[] = [data.length],
  ) => ({
    name,
    datatype,
    shape,
    data,
  });
  const ROWS = [
    column("age", "FP64", [70, 25]),
    column("balance", "INT32", [10, 20]),
    column("job", "BYTES", ["nurse", "clerk"]),
  ];

  it("says what is ready before there is a version", async () => {
    expect((await ask("GET", "/v2/health/live")).body).toEqual({ live: true });
    expect(await ask("GET", "/v2/models/purchases/ready")).toEqual({
      status: 400,
      body: { name: "purchases", ready: false },
    });
    expect((await ask("POST", "/v2/repository/index", {})).body).toMatchObject([
      { name: "purchases", state: "UNAVAILABLE" },
    ]);
    expect((await ask("POST", "/v2/repository/models/purchases/load", {})).status).toBe(409);
    expect(await infer(ROWS)).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining("no live version") },
    });
    await trainFirstVersion(server);
  }, 60_000);

  it("describes server, model and versions as it says", async () => {
    expect((await ask("GET", "/v2")).body).toMatchObject({
      name: "retrain",
      extensions: ["binary_tensor_data", "model_repository"],
    });
    expect((await ask("GET", "/v2/models/purchases/versions/1")).body).toEqual({
      name: "purchases",
      versions: ["v1"],
      platform: "retrain_linear",
      inputs: [
        { name: "age", datatype: "FP64", shape: [-1] },
        { name: "balance", datatype: "FP64", shape: [-1] },
        { name: "job", datatype: "BYTES", shape: [-1] },
      ],
      outputs: [
        { name: "decision", datatype: "BOOL", shape: [-1] },
        { name: "score", datatype: "FP64", shape: [-1] },
        { name: "prediction_id", datatype: "BYTES", shape: [-1] },
      ],
    });
    expect((await ask("POST", "/v2/repository/index", { ready: true })).body).toEqual([
      { name: "purchases", version: "v1", state: "READY", reason: "champion" },
    ]);
    expect((await ask("GET", "/v2/models/purchases/ready")).status).toBe(200);
  });

  it("answers as the ordinary route does, and logs as it does", async () => {
    const { status, body } = await infer([...ROWS, column("customer", "BYTES", ["oip-1", "oip-2"])], { id: "42" });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      model_name: "purchases",
      model_version: "v1",
      id: "42",
      parameters: { logged: true },
    });
    const outputs = Object.fromEntries((body["outputs"] as Tensor[]).map((one) => [one.name, one]));
    const plain = await ask("POST", "/api/v1/models/purchases/predict?log=0", {
      rows: [
        { age: 70, balance: 10, job: "nurse" },
        { age: 25, balance: 20, job: "clerk" },
      ],
    });
    const expected = plain.body["predictions"] as { score: number; decision: boolean }[];
    expect(outputs["score"]).toMatchObject({ datatype: "FP64", shape: [2], data: expected.map(({ score }) => score) });
    expect(outputs["decision"]?.data).toEqual(expected.map(({ decision }) => decision));
    const logged = await server.test.store.log.findPredictions("purchases", { exampleIds: ["oip-1", "oip-2"] });
    expect(logged.map(({ predictionId }) => predictionId).toSorted()).toEqual(
      [...(outputs["prediction_id"]?.data ?? [])].map(String).toSorted(),
    );
    const pinned = await infer(ROWS, {}, "/v2/models/purchases/versions/v1/infer");
    expect(pinned.body).toMatchObject({ parameters: { logged: false } });
    const pinnedLogged = await infer(ROWS, { parameters: { log: true } }, "/v2/models/purchases/versions/v1/infer");
    expect(pinnedLogged.body).toMatchObject({ parameters: { logged: true } });
  });

  it.each([
    ["gzip", gzipSync, gunzipSync],
    ["deflate", deflateSync, inflateSync],
  ] as const)("takes bodies packed with %s, and packs answers for who asks for it", async (encoding, pack, unpack) => {
    const inputs = [
      column(
        "age",
        "FP64",
        Array.from({ length: 100 }, (_, i) => i),
      ),
      column(
        "balance",
        "INT32",
        Array.from({ length: 100 }, (_, i) => i),
      ),
      column(
        "job",
        "BYTES",
        Array.from({ length: 100 }, () => "nurse"),
      ),
    ];
    const plain = await infer(inputs, { parameters: { log: false } });
    const answer = await server.server.app.inject({
      method: "POST",
      url: "/v2/models/purchases/infer",
      headers: { "content-encoding": encoding, "accept-encoding": encoding, "content-type": "application/json" },
      payload: pack(JSON.stringify({ inputs, parameters: { log: false } })),
    });
    expect([answer.statusCode, answer.headers["content-encoding"]]).toEqual([200, encoding]);
    expect(JSON.parse(unpack(answer.rawPayload).toString())).toEqual(plain.body);
    // A small answer goes as it is, and so does one to a client that refuses packing.
    const small = await ask("POST", "/v2/models/purchases/infer", pack(JSON.stringify({ inputs: ROWS })), {
      "content-encoding": encoding,
      "accept-encoding": `${encoding};q=0`,
    });
    expect(small.status).toBe(200);
  });

  it.each([
    ["br", Buffer.from("{}"), /Content-Encoding "br" is not read/],
    ["gzip", Buffer.from("{}"), /not what its Content-Encoding gzip says/],
    ["gzip", gzipSync(Buffer.alloc(9_000_000)), /unpacks to more than 8388608 bytes/],
  ])("refuses a body that is badly packed as %s", async (encoding, body, message) => {
    const found = await ask("POST", "/v2/models/purchases/infer", body, { "content-encoding": encoding });
    expect(found.status).toBeGreaterThanOrEqual(400);
    expect(found.status).toBeLessThan(500);
    expect(found.body["error"]).toMatch(message);
  });

  it("takes a missing value as null, columns of shape [n, 1], and gives only the outputs asked for", async () => {
    const inputs = [column("age", "FP32", [[null], [40]], [2, 1]), ...ROWS.slice(1)];
    const { body } = await infer(inputs, { outputs: [{ name: "score" }] });
    expect((body["outputs"] as Tensor[]).map(({ name }) => name)).toEqual(["score"]);
  });

  it.each([
    ["no inputs", { inputs: [] }, /no list "inputs"/],
    ["a shape that does not fit", { inputs: [column("age", "FP64", [1, 2], [3])] }, /shape \[3\] and 2 values/],
    ["a matrix", { inputs: [column("age", "FP64", [[1, 2]], [1, 2])] }, /must be \[rows\]/],
    [
      "rows that differ",
      { inputs: [column("age", "FP64", [1]), column("balance", "FP64", [1, 2])] },
      /has 2 rows, an earlier one has 1/,
    ],
    ["an unknown type", { inputs: [column("age", "FP16", [1])] }, /type FP16/],
    ["an unknown feature", { inputs: [...ROWS, column("aeg", "FP64", [1, 2])] }, /aeg/],
    ["a value out of range", { inputs: [column("age", "FP64", [1e9])] }, /age/],
    ["an unknown output", { inputs: ROWS, outputs: [{ name: "logits" }] }, /no output "logits"/],
    [
      "bytes that are not there",
      { inputs: [{ name: "age", datatype: "FP64", shape: [1], parameters: { binary_data_size: 8 } }] },
      /states 8 bytes; 0 are left/,
    ],
  ])("refuses %s as the protocol says", async (_what, payload, message) => {
    const { status, body } = await ask("POST", "/v2/models/purchases/infer", payload);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(body["error"]).toMatch(message);
  });

  it("refuses a broken binary header, and what is not JSON", async () => {
    const headers = { "inference-header-content-length": "99999", "content-type": "application/octet-stream" };
    expect((await ask("POST", "/v2/models/purchases/infer", Buffer.from("{}"), headers)).body["error"]).toMatch(
      /99999/,
    );
    expect((await ask("POST", "/v2/models/purchases/infer", Buffer.from("nonsense"), {})).body["error"]).toMatch(
      /no JSON/,
    );
    expect((await ask("POST", "/v2/models/absent/infer", { inputs: ROWS })).status).toBe(404);
    expect((await ask("GET", "/v2/models/purchases/versions/7")).body["error"]).toMatch(/no version "7"/);
  });

  it.skipIf(client.status !== 0)(
    "works with Triton's own HTTP client, unmodified",
    async () => {
      const { url } = await server.server.listen({ host: "127.0.0.1", port: 0 });
      const { stdout } = await promisify(execFile)(client.stdout, [file("inference.py"), new URL(url).host], {
        timeout: 60_000,
      });
      const found = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
      expect(found).toMatchObject({
        live: true,
        ready: true,
        modelReady: true,
        versionReady: true,
        server: { name: "retrain" },
      });
      expect(found["metadata"]).toMatchObject({ name: "purchases", versions: ["v1"] });
      const answer = { id: "r-1", version: "v1", decision: [true, false] };
      expect(found["binary"]).toMatchObject(answer);
      expect(found["json"]).toMatchObject(answer);
      expect(found["json"]?.["score"]).toEqual(found["binary"]?.["score"]);
      expect(found["pinned"]).toEqual(found["binary"]?.["score"]);
      expect(found["binary"]?.["ids"]).toEqual([
        expect.stringMatching(/^[0-9a-f-]{36}$/),
        expect.stringMatching(/^[0-9a-f-]{36}$/),
      ]);
      expect(found["unknownModel"]).toMatch(/no model "absent"/);
      expect(found["badInput"]).toMatch(/nothing/);
      expect(found["unload"]).toMatch(/not unloaded by request/);
    },
    120_000,
  );

  it.skipIf(client.status === 0)(`was not asked by Triton's client: ${client.stderr.trim()}`, () => {
    expect(client.stderr).not.toBe("");
  });
});
