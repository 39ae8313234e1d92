import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAY_MS, type DriftReport, driftSignalRecord } from "../../src/core/index.ts";
import { openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

let open: TestServer;
beforeAll(async () => {
  open = await openTestServer();
}, 60_000);
afterAll(async () => open.dispose());

const MODEL = "/api/v1/models/purchases/drift";
async function get(url: string) {
  const response = await open.server.app.inject({ method: "GET", url });
  const body = () => JSON.parse(response.body) as Record<string, unknown>;
  return { status: response.statusCode, text: response.body, body };
}

describe("drift over HTTP", () => {
  it("says that there is nothing to compare with before the first version", async () => {
    const { status, body } = await get(MODEL);
    expect(status).toBe(200);
    expect(body()).toMatchObject({ state: "no-champion", data: null, heatmap: { rows: [] } });
    expect((await get(`${MODEL}/feature?feature=age`)).status).toBe(409);
    expect((await get(`${MODEL}/multivariate`)).body()).toMatchObject({ state: "no-champion", result: null });
  });

  it("answers with the report of a window and of a feature, and refuses what it does not know", async () => {
    await trainFirstVersion(open);
    await open.test.loop.tick("purchases", open.test.clock.now());
    const view = (await get(MODEL)).body();
    expect(view).toMatchObject({ state: "ready", version: "v1", reference: "training" });
    expect((view["data"] as DriftReport).features.map((one) => one.feature).sort()).toEqual(["age", "balance", "job"]);
    const past = (await get(`${MODEL}?reference=trailing&from=${DAY_MS}&to=${2 * DAY_MS}`)).body();
    expect(past).toMatchObject({ reference: "trailing", window: { from: DAY_MS, to: 2 * DAY_MS } });
    expect((past["data"] as DriftReport).verdict).toBe("cannot-tell");
    const feature = (await get(`${MODEL}/feature?feature=age`)).body();
    expect(feature["feature"]).toMatchObject({ feature: "age", kind: "number" });
    expect((await get(`${MODEL}/feature?feature=aeg`)).body()).toMatchObject({ code: "COLUMN_UNKNOWN" });
    expect((await get(`${MODEL}/feature`)).status).toBe(400);
    expect((await get(`${MODEL}?reference=yesterday`)).status).toBe(400);
    expect((await get("/api/v1/models/purchase/drift")).body()).toMatchObject({ code: "MODEL_UNKNOWN" });
  }, 60_000);

  it("compares rows as wholes when asked, with the rows kept in the version", async () => {
    const { status, body } = await get(`${MODEL}/multivariate`);
    expect(status).toBe(200);
    expect(body()).toMatchObject({ state: "ready", version: "v1", result: { referenceRows: expect.any(Number) } });
    const empty = (await get(`${MODEL}/multivariate?from=${DAY_MS}&to=${2 * DAY_MS}`)).body();
    expect(empty).toMatchObject({
      window: { from: DAY_MS, to: 2 * DAY_MS },
      result: { verdict: "cannot-tell", currentRows: 0, classifier: { auc: null } },
    });
    expect((await get(`${MODEL}/multivariate?from=5&to=4`)).body()).toMatchObject({ code: "BODY_INVALID" });
    expect((await get("/api/v1/models/purchase/drift/multivariate")).body()).toMatchObject({ code: "MODEL_UNKNOWN" });
  }, 60_000);

  it("offers the newest verdicts as gauges", async () => {
    const { store } = open.test;
    const finding = {
      feature: "age",
      verdict: "drift",
      statistic: "psi",
      value: 0.3,
      threshold: 0.1,
      ratio: 3,
    } as const;
    const signal = { monitor: "data-drift", model: "purchases", version: "v1", at: 1, from: 0, to: 1 } as const;
    const rest = { reference: "training", share: 1, shareThreshold: 0.1, rows: 500, referenceRows: 900 } as const;
    await store.settings.saveSignals([
      driftSignalRecord({ ...signal, ...rest, verdict: "drift", findings: [finding], reason: "age moved." }),
    ]);
    // The first scrape has the values of now, not those of the scrape before.
    const { text } = await get("/metrics");
    expect(text).toContain('retrain_drift{model="purchases",monitor="data-drift"} 1');
    expect(text).toContain('retrain_drift_score{model="purchases",feature="age"} 3');
    expect(text).toContain('retrain_open_alerts{model="purchases"} 0');
    expect(text).toContain('retrain_quarantined_rows{model="purchases"} 0');
    await store.settings.saveSignals([
      driftSignalRecord({ ...signal, ...rest, verdict: "no-drift", findings: [], reason: "Nothing moved." }),
    ]);
    const next = (await get("/metrics")).text;
    expect(next).toContain('retrain_drift{model="purchases",monitor="data-drift"} 0');
    expect(next).not.toContain("retrain_drift_score{");
  });
});
