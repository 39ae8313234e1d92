import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  alert,
  definitionRevision,
  defineConfig,
  defineModel,
  f,
  gate,
  linear,
  majority,
  type ModelSpec,
  parseDotEnv,
  resolveConfig,
  source,
  stage,
  when,
} from "../../src/config/index.ts";
import { DAY_MS, HOUR_MS, RetrainError } from "../../src/core/index.ts";
import { findTrainer } from "../../src/learn/index.ts";

const folder = mkdtempSync(join(tmpdir(), "config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minimal = { name: "churn", task: "binary", features: { age: f.number() }, label: f.boolean() } as const;
const resolve = (config: unknown, options: object = {}) => resolveConfig(config, { folder, ...options });
const model = (change: object = {}) => resolve({ models: [{ ...minimal, ...change }] }).models[0] as ModelSpec;
function refusal(run: () => unknown): RetrainError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RetrainError);
    return error as RetrainError;
  }
  throw new Error("it was accepted");
}

describe("defaults", () => {
  it("completes a model of four fields by the written defaults", () => {
    const spec = model();
    expect(spec).toEqual({
      name: "churn",
      schema: {
        task: "binary",
        labelColumn: "label",
        features: [{ name: "age", spec: { kind: "number" } }],
        label: { kind: "boolean" },
      },
      labelDelayMs: 0,
      threshold: { maximize: "f1" },
      trainer: { name: "linear", params: findTrainer("linear").defaults },
      data: {
        holdout: { share: 0.25, minRows: 200, maxRows: 10_000 },
        validationShare: 0.2,
        minRows: 300,
        refit: false,
      },
      retrain: {
        when: {
          kind: "any",
          of: [
            { kind: "newLabels", count: 1000 },
            { kind: "performanceDrop", metric: "logLoss", relative: 0.1, windowMs: 30 * DAY_MS, minRows: 200 },
          ],
        },
        how: "full",
        maxChain: 10,
        cooldownMs: 6 * HOUR_MS,
        maxPerDay: 4,
        stopAfterRejections: 3,
        runDurationMs: 0,
      },
      monitors: {
        falseAlarms: 1,
        conceptDrift: { detector: "adwin", metric: "logLoss" },
        dataDrift: {
          reference: "training",
          windowMs: 7 * DAY_MS,
          everyMs: DAY_MS,
          seasonMs: 7 * DAY_MS,
          minimumEffect: 0.1,
          minRows: 200,
        },
      },
      gates: [
        { kind: "betterThanBaseline", metric: "logLoss" },
        { kind: "noWorseThanChampion", metric: "logLoss" },
      ],
      slices: [],
      rollout: [{ kind: "full", metric: "logLoss", margin: 0.02, guards: [], watchMs: DAY_MS }],
      limits: { trainTimeoutMs: HOUR_MS, trainMemoryBytes: 4 * 1024 * 1024 * 1024 },
      seed: 1,
    });
  });

  it("judges a regression model by its mean absolute error", () => {
    const spec = model({ task: "regression", label: f.number() });
    expect(spec.gates).toMatchObject([{ metric: "mae" }, { metric: "mae" }]);
    expect(spec.retrain.when).toMatchObject({ of: [{ kind: "newLabels" }, { metric: "mae" }] });
  });

  it("completes server, storage and alerts, paths against the folder", () => {
    const spec = resolve({ models: [minimal] });
    expect(spec.server).toEqual({
      host: "127.0.0.1",
      port: 4400,
      logWaitMs: 50,
      tickEveryMs: 60_000,
      allowedHosts: [],
    });
    expect(spec.storage).toEqual({
      directory: join(folder, ".retrain"),
      keep: { eventsMs: 400 * DAY_MS, predictionsMs: 180 * DAY_MS, versions: 20, decisionsMs: 730 * DAY_MS },
    });
    expect(spec.alerts).toEqual([{ kind: "log" }]);
    expect(spec.sources).toEqual([]);
  });
});

describe("what a user writes", () => {
  it("reads the whole design example of what is built", () => {
    const purchases = defineModel({
      name: "purchases",
      task: "binary",
      id: "customer",
      time: "contactedAt",
      features: {
        age: f.number({ min: 0, max: 120 }),
        job: f.category({ missing: ["unknown"] }),
        contact: f.category("cellular", "telephone"),
        housing: f.boolean({ texts: ["no", "yes"] }),
      },
      label: f.boolean({ texts: ["0", "1"] }),
      labelColumn: "purchased",
      labelDelay: "14d",
      threshold: 0.3,
      trainer: linear({ epochs: 5 }),
      data: { window: "180d", holdout: { share: 0.3 } },
      retrain: {
        when: when.any(
          when.schedule("0 3 * * 1", { timeZone: "Europe/Berlin" }),
          when.newLabels(2000),
          when.performanceDrop("logLoss", { absolute: 0.05 }),
          when.all(when.every("6h"), when.newRows(10)),
          when.event("catalog-changed"),
          when.manual(),
        ),
        how: "warm-start",
        cooldown: "1h",
      },
      gates: [gate.noWorseThanChampion("logLoss", { margin: 0.01 }), gate.atLeast("rocAuc", 0.6)],
      slices: ["job"],
      rollout: [stage.full()],
      seed: 7,
    });
    const config = defineConfig({
      models: [purchases],
      sources: [source.file("Kunden Liste.csv", { model: "purchases", missing: ["unknown"] })],
      alerts: [alert.webhook({ url: "https://example.com/hook", secret: `whsec_${"A".repeat(32)}` }), alert.log()],
      server: { port: 0 },
    });
    const spec = resolve(config);
    expect(spec.models[0]).toMatchObject({
      labelDelayMs: 14 * DAY_MS,
      threshold: 0.3,
      schema: { id: "customer", time: "contactedAt", labelColumn: "purchased", label: { texts: ["0", "1"] } },
      trainer: { params: { epochs: 5, l2: 1 } },
      data: { windowMs: 180 * DAY_MS, holdout: { share: 0.3, minRows: 200 } },
      gates: [
        { kind: "noWorseThanChampion", metric: "logLoss", margin: 0.01 },
        { kind: "atLeast", metric: "rocAuc", value: 0.6 },
      ],
    });
    expect(spec.models[0]?.retrain.when).toEqual({
      kind: "any",
      of: [
        { kind: "schedule", cron: "0 3 * * 1", timeZone: "Europe/Berlin" },
        { kind: "newLabels", count: 2000 },
        { kind: "performanceDrop", metric: "logLoss", absolute: 0.05, windowMs: 30 * DAY_MS, minRows: 200 },
        {
          kind: "all",
          of: [
            { kind: "interval", everyMs: 6 * HOUR_MS },
            { kind: "newRows", count: 10 },
          ],
        },
        { kind: "event", name: "catalog-changed" },
        { kind: "manual" },
      ],
    });
    expect(spec.sources).toEqual([
      {
        name: "kunden-liste.csv",
        model: "purchases",
        kind: "file",
        path: join(folder, "Kunden Liste.csv"),
        pollMs: 5000,
        missing: ["unknown"],
      },
    ]);
    // The builders make plain data, so a JSON file can say the same.
    expect(resolve(JSON.parse(JSON.stringify(config)))).toEqual(spec);
  });

  it("takes the newest rows as a window", () => {
    expect(model({ data: { window: { rows: 5000 } } }).data).toMatchObject({ windowRows: 5000 });
  });
});

const long = "x".repeat(70);
/** Title, the wrong change, the code, and words of the message. */
const MISTAKES: readonly (readonly [string, object, string, readonly string[]])[] = [
  [
    "a misspelled key",
    { labelDelya: "1d" },
    "CONFIG_KEY_UNKNOWN",
    ["models.churn", "labelDelya", 'Closest: "labelDelay"'],
  ],
  [
    "a misspelled nested key",
    { retrain: { cooldwn: "1h" } },
    "CONFIG_KEY_UNKNOWN",
    ["models.churn.retrain", '"cooldown"'],
  ],
  [
    "a text where a builder takes settings",
    { gates: [{ kind: "atLeast", "0": "l", "1": "o" }] },
    "CONFIG_INVALID",
    ["gates[0]", "a text instead of settings", "metric, value"],
  ],
  ["a misspelled feature key", { features: { age: { kind: "number", mni: 1 } } }, "CONFIG_KEY_UNKNOWN", ['"min"']],
  ["a number as a duration", { labelDelay: 14 }, "CONFIG_INVALID", ["`models.churn.labelDelay` is 14", '"14d"']],
  ["a duration without a unit", { labelDelay: "14" }, "CONFIG_INVALID", ['is "14"', "a number with a unit"]],
  ["a name with a slash", { name: "a/b" }, "CONFIG_INVALID", ["models.a/b.name", "at most 64"]],
  ["a name with two dots", { name: "a..b" }, "CONFIG_INVALID", ['without ".."']],
  ["a name that is too long", { name: long }, "CONFIG_INVALID", ["at most 64"]],
  ["a misspelled task", { task: "bynary" }, "CONFIG_INVALID", ['closest: "binary"']],
  ["a label of another task", { label: f.number() }, "CONFIG_INVALID", ["models.churn.label.kind", '"boolean"']],
  ["no feature", { features: {} }, "CONFIG_INVALID", ["1 to 2000 features"]],
  ["a metric of another task", { gates: [gate.atLeast("mae", 1)] }, "CONFIG_INVALID", ["gates[0].metric", '"logLoss"']],
  [
    "a misspelled metric",
    { gates: [{ kind: "atLeast", metric: "rocAUCs", value: 1 }] },
    "CONFIG_INVALID",
    ['closest: "rocAuc"'],
  ],
  [
    "a share above one",
    { data: { holdout: { share: 25 } } },
    "CONFIG_INVALID",
    ["data.holdout.share` is 25", "[0.01, 0.9]"],
  ],
  [
    "holdout limits that exclude each other",
    { data: { holdout: { minRows: 5, maxRows: 4 } } },
    "CONFIG_INVALID",
    ["minRows 5"],
  ],
  ["fewer rows than the holdout takes", { data: { minRows: 200 } }, "CONFIG_INVALID", ["none to train on"]],
  [
    "a cron of six parts",
    { retrain: { when: when.schedule("0 0 3 * * 1") } },
    "CONFIG_INVALID",
    ["cron text of five parts"],
  ],
  [
    "a cron that never happens",
    { retrain: { when: when.schedule("0 0 30 2 *") } },
    "CONFIG_INVALID",
    ["never happens"],
  ],
  [
    "a time zone that is none",
    { retrain: { when: when.schedule("0 3 * * *", { timeZone: "Europe/Berln" }) } },
    "CONFIG_INVALID",
    ["IANA"],
  ],
  [
    "an unknown trigger",
    { retrain: { when: { kind: "newLabel", count: 1 } } },
    "CONFIG_INVALID",
    ['closest: "newLabels"'],
  ],
  ["an empty any", { retrain: { when: { kind: "any", of: [] } } }, "CONFIG_INVALID", ["at least 1"]],
  [
    "two allowances",
    { retrain: { when: { kind: "performanceDrop", metric: "logLoss", relative: 1, absolute: 1 } } },
    "CONFIG_INVALID",
    ["both"],
  ],
  ["an unknown trainer", { trainer: { name: "lineer" } }, "CONFIG_INVALID", ['closest: "linear"']],
  ["a trainer of another task", { trainer: { name: "last-value" } }, "CONFIG_INVALID", ['"linear", "mlp", "majority"']],
  [
    "an unknown parameter",
    { trainer: { name: "linear", params: { epoch: 3 } } },
    "CONFIG_KEY_UNKNOWN",
    ["models.churn.trainer", '"epochs"'],
  ],
  ["a parameter out of range", { trainer: linear({ epochs: 0 }) }, "CONFIG_INVALID", ["[1, 10000]"]],
  [
    "a strategy the trainer cannot do",
    { trainer: majority(), retrain: { how: "incremental" } },
    "CONFIG_INVALID",
    ['"majority" can only do full'],
  ],
  ["a slice that is no feature", { slices: ["agee"] }, "CONFIG_INVALID", ['Closest: "age"']],
  [
    "the label among the features",
    { labelColumn: "age" },
    "CONFIG_INVALID",
    ["the answer would be among the questions"],
  ],
  ["the label as id", { id: "label" }, "CONFIG_INVALID", ["which is the label column"]],
  [
    "bounds without a number between",
    { features: { a: f.number({ min: 2, max: 1 }) } },
    "CONFIG_INVALID",
    ["min 2 above max 1"],
  ],
  ["a category listed twice", { features: { a: f.category("x", "x") } }, "CONFIG_INVALID", ["twice"]],
  ["equal text forms", { label: { kind: "boolean", texts: ["a", "a"] } }, "CONFIG_INVALID", ["two different texts"]],
  ["a threshold beyond one", { threshold: 2 }, "CONFIG_INVALID", ["[0, 1]"]],
  ["a function where a value belongs", { seed: () => 1 }, "CONFIG_INVALID", ["a function"]],
  ["NaN", { seed: Number.NaN }, "CONFIG_INVALID", ["is NaN"]],
];

describe("mistakes", () => {
  it.each(MISTAKES)("refuses %s", (_, change, code, words) => {
    const error = refusal(() => model(change));
    expect(error.code).toBe(code);
    for (const word of words) expect(error.message).toContain(word);
    expect(error.remedy).not.toBe("");
  });

  it("refuses a threshold of a model that decides nothing", () => {
    const error = refusal(() => model({ task: "regression", label: f.number(), threshold: 0.5 }));
    expect(error.message).toContain("no decision threshold");
  });

  it("reports all problems of a file in one error", () => {
    const error = refusal(() => model({ labelDelay: 1, seed: -1, retrain: { cooldown: 2 } }));
    expect(error.details["problems"]).toHaveLength(3);
    expect(error.message.split("\n")).toHaveLength(3);
  });

  it("refuses equal names and unknown models of sources", () => {
    expect(refusal(() => resolve({ models: [minimal, minimal] })).message).toContain('"churn" twice');
    const one = { kind: "file", path: "a.csv", model: "chrn" };
    expect(refusal(() => resolve({ models: [minimal], sources: [one] })).message).toContain('Closest: "churn"');
    const good = { ...one, model: "churn" };
    expect(refusal(() => resolve({ models: [minimal], sources: [good, good] })).message).toContain('"a.csv" twice');
  });

  it("never repeats a secret or an address that holds one", () => {
    const webhook = { kind: "webhook", url: "ftp://hooks.example/s3cret", secret: "whsec_s3cret" };
    const error = refusal(() => resolve({ models: [minimal], alerts: [webhook] }));
    expect(JSON.stringify([error.message, error.details, error.remedy])).not.toContain("s3cret");
  });

  it("refuses an empty module with a hint", () => {
    expect(refusal(() => resolve(undefined)).remedy).toContain("export default");
    expect(refusal(() => resolve({ models: [] })).message).toContain("`models`");
  });

  it("answers any JSON with a specification or a RetrainError, and changes no prototype", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text) as unknown;
        for (const config of [value, { models: [value] }, { models: [{ ...minimal, features: value }] }]) {
          try {
            resolve(config);
          } catch (error) {
            expect(error).toBeInstanceOf(RetrainError);
          }
        }
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

describe("layers and origins", () => {
  it("lets flags win over the environment, the environment over .env, .env over the file", () => {
    const config = {
      models: [minimal],
      server: { port: 1, host: "0.0.0.0", tickEvery: "5m" },
      storage: { dir: "data" },
    };
    const spec = resolve(config, {
      dotEnv: { RETRAIN_PORT: "2", RETRAIN_HOST: "::1", RETRAIN_TICK_EVERY: "2m" },
      environment: { RETRAIN_PORT: "3", RETRAIN_HOST: "", RETRAIN_ALLOWED_HOSTS: "a.example, b.example" },
      flags: { port: 4 },
    });
    expect(spec.server).toMatchObject({
      port: 4,
      host: "::1",
      tickEveryMs: 120_000,
      allowedHosts: ["a.example", "b.example"],
    });
    expect(spec.origins).toMatchObject({
      "server.port": "flag: --port",
      "server.host": ".env: RETRAIN_HOST",
      "server.allowedHosts": "environment: RETRAIN_ALLOWED_HOSTS",
      "server.logWait": "default",
      "storage.dir": "file",
      "models.churn.name": "file",
      "models.churn.seed": "default",
      "models.churn.gates": "derived: logLoss is the primary metric of the task binary",
      "models.churn.data.holdout.share": "default",
      "models.churn.trainer.params.epochs": "default",
    });
  });

  it("reads a secret from the file a variable names", () => {
    const path = join(folder, "url");
    writeFileSync(path, "postgres://db/one\n");
    const spec = resolve({ models: [minimal] }, { environment: { DATABASE_URL_FILE: path } });
    expect(spec.storage.databaseUrl).toBe("postgres://db/one");
    const missing = { environment: { DATABASE_URL_FILE: join(folder, "none") } };
    expect(refusal(() => resolve({ models: [minimal] }, missing)).message).toContain("DATABASE_URL_FILE");
  });

  it("prefers RETRAIN_DATABASE_URL to DATABASE_URL", () => {
    const environment = { DATABASE_URL: "postgres://a", RETRAIN_DATABASE_URL: "postgres://b" };
    expect(resolve({ models: [minimal] }, { environment }).storage.databaseUrl).toBe("postgres://b");
  });

  it("refuses a port that is no number, naming what it found", () => {
    const error = refusal(() => resolve({ models: [minimal] }, { environment: { RETRAIN_PORT: "80a" } }));
    expect(error.message).toContain('`server.port` is "80a"');
  });

  it("reads .env files and refuses lines that are none", () => {
    expect({ ...parseDotEnv("# c\nA=1\nexport B = \"x # y\" # z\nC=a # b\n\nD='q'") }).toEqual({
      A: "1",
      B: "x # y",
      C: "a",
      D: "q",
    });
    expect(refusal(() => parseDotEnv("A=1\nnonsense")).message).toContain("Line 2");
  });
});

describe("definitionRevision", () => {
  it("is the same for equal descriptions, however they were written", () => {
    const one = definitionRevision(model({ labelDelay: "24h", seed: 1 }));
    expect(one).toMatch(/^[0-9a-f]{12}$/);
    expect(definitionRevision(model({ seed: 1, labelDelay: "1d" }))).toBe(one);
  });

  it("changes with the schema, the trainer and the policy", () => {
    const revisions = [
      model(),
      model({ features: { age: f.number({ min: 0 }) } }),
      model({ trainer: linear({ epochs: 3 }) }),
      model({ retrain: { cooldown: "1h" } }),
    ].map(definitionRevision);
    expect(new Set(revisions).size).toBe(4);
  });

  it("depends on the order of features, which is the order of the matrix", () => {
    const ab = model({ features: { a: f.number(), b: f.number() } });
    const ba = model({ features: { b: f.number(), a: f.number() } });
    expect(definitionRevision(ab)).not.toBe(definitionRevision(ba));
  });
});
