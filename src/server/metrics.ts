/**
 * `/metrics` for Prometheus. Predictions are counted by plain numbers, because a labelled prom-client observation costs as much as
 * the model; they are copied into the registry when somebody scrapes. Labels are bounded: models, versions, routes, never rows.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { addDriftGauges } from "./drift-metrics.ts";
import { addGauges } from "./gauges.ts";
import type { Loop, LoopEvent } from "../loop/contract.ts";

/** Seconds; the predict path answers in tens of microseconds, a slow disk in tens of milliseconds. */
const PREDICTION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
/** The buckets OpenTelemetry's conventions state for http.server.request.duration. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const TRAINING_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

const MODEL_GAUGES = {
  retrain_model_metric: {
    help: "The model's main metric over its newest mature bucket.",
    labels: ["model", "metric"],
  },
  retrain_quarantined_rows: { help: "Rows waiting in quarantine.", labels: ["model"] },
  retrain_open_alerts: { help: "Alerts that are open.", labels: ["model"] },
  retrain_queue_depth: { help: "Runs queued or under way.", labels: [] },
};

interface PredictionTally {
  count: number;
  unlogged: number;
  errors: number;
  sumSeconds: number;
  readonly buckets: Float64Array;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #predictions = new Map<string, PredictionTally>();
  readonly #http: Histogram<"method" | "route" | "status">;
  readonly #runs: Counter<"model" | "outcome">;
  readonly #trainingSeconds: Histogram<"model">;
  readonly #labels: Counter<"model">;
  readonly #rows: Counter<"model" | "outcome">;
  readonly #lastSuccess: Gauge<"model">;
  readonly #alerts: Counter<"model" | "type">;

  constructor(loop: Loop) {
    const registers = [this.registry];
    this.#http = new Histogram({
      name: "http_server_request_duration_seconds",
      help: "Duration of HTTP requests, without predictions.",
      labelNames: ["method", "route", "status"],
      buckets: HTTP_BUCKETS,
      registers,
    });
    this.#runs = new Counter({
      name: "retrain_training_runs_total",
      help: "Runs by how they ended.",
      labelNames: ["model", "outcome"],
      registers,
    });
    this.#trainingSeconds = new Histogram({
      name: "retrain_training_duration_seconds",
      help: "Duration of whole runs.",
      labelNames: ["model"],
      buckets: TRAINING_BUCKETS,
      registers,
    });
    this.#labels = new Counter({
      name: "retrain_labels_total",
      help: "Labels accepted.",
      labelNames: ["model"],
      registers,
    });
    this.#rows = new Counter({
      name: "retrain_rows_total",
      help: "Rows received, by whether they were accepted or quarantined.",
      labelNames: ["model", "outcome"],
      registers,
    });
    this.#lastSuccess = new Gauge({
      name: "retrain_last_success_timestamp_seconds",
      help: "When a run last promoted a version.",
      labelNames: ["model"],
      registers,
    });
    this.#alerts = new Counter({
      name: "retrain_alerts_total",
      help: "Alerts opened.",
      labelNames: ["model", "type"],
      registers,
    });
    this.#addModelGauges(loop);
  }

  #addModelGauges(loop: Loop): void {
    addDriftGauges(loop, this.registry);
    addGauges(this.registry, MODEL_GAUGES, async (gauges) => {
      const summaries = await loop.summaries();
      for (const summary of summaries) {
        const model = summary.name;
        const value = summary.sparkline.findLast((point) => point !== null);
        if (value !== undefined && value !== null)
          gauges.retrain_model_metric.set({ model, metric: summary.metric }, value);
        gauges.retrain_quarantined_rows.set({ model }, summary.quarantined);
        gauges.retrain_open_alerts.set({ model }, summary.openAlerts);
      }
      const open = summaries.filter(({ lastRun }) => lastRun?.state === "queued" || lastRun?.state === "running");
      gauges.retrain_queue_depth.set(open.length);
    });
  }

  /** The hot path: a few additions. */
  observePrediction(model: string, version: string, rows: number, logged: boolean, seconds: number): void {
    const tally = this.#tally(model, version);
    tally.count += rows;
    if (!logged) tally.unlogged += rows;
    tally.sumSeconds += seconds;
    let i = 0;
    while (i < PREDICTION_BUCKETS.length && seconds > (PREDICTION_BUCKETS[i] as number)) i++;
    tally.buckets[i] = (tally.buckets[i] as number) + 1;
  }

  observePredictionError(model: string): void {
    this.#tally(model, "").errors++;
  }

  #tally(model: string, version: string): PredictionTally {
    const key = `${model}\u001f${version}`;
    let tally = this.#predictions.get(key);
    if (tally === undefined) {
      const buckets = new Float64Array(PREDICTION_BUCKETS.length + 1);
      tally = { count: 0, unlogged: 0, errors: 0, sumSeconds: 0, buckets };
      this.#predictions.set(key, tally);
    }
    return tally;
  }

  observeRequest(method: string, route: string, status: number, elapsedMs: number): void {
    this.#http.observe({ method, route, status: String(status) }, elapsedMs / 1000);
  }

  observeEvent(event: LoopEvent): void {
    const model = event.model ?? "";
    if (event.type === "ingest") {
      const number = (key: string) => Number(event.data[key] ?? 0);
      this.#labels.inc({ model }, number("labelled"));
      this.#rows.inc({ model, outcome: "accepted" }, number("accepted"));
      this.#rows.inc({ model, outcome: "quarantined" }, number("quarantined"));
    } else if (event.type === "alert.opened") {
      this.#alerts.inc({ model, type: textOf(event.data["type"]) });
    } else if (event.type === "version.promoted") {
      this.#lastSuccess.set({ model }, event.at / 1000);
    } else if (event.type === "run.updated") {
      this.#observeRun(model, event.data);
    }
  }

  #observeRun(model: string, data: LoopEvent["data"]): void {
    const state = textOf(data["state"]);
    if (state === "queued" || state === "running" || state === "") return;
    this.#runs.inc({ model, outcome: state });
    const durationMs = data["durationMs"];
    if (typeof durationMs === "number") this.#trainingSeconds.observe({ model }, durationMs / 1000);
  }

  /** The exposition text. Cost: one read of the model summaries. */
  async text(): Promise<string> {
    return `${await this.registry.metrics()}${this.#predictionText()}`;
  }

  #predictionText(): string {
    const counted: string[] = [];
    const failed: string[] = [];
    const timed: string[] = [];
    for (const [key, tally] of this.#predictions) {
      const [model = "", version = ""] = key.split("\u001f");
      if (tally.errors > 0) failed.push(`retrain_prediction_errors_total{model="${model}"} ${tally.errors}`);
      if (version === "") continue;
      const labels = `model="${model}",version="${version}"`;
      counted.push(`retrain_predictions_total{${labels},logged="true"} ${tally.count - tally.unlogged}`);
      counted.push(`retrain_predictions_total{${labels},logged="false"} ${tally.unlogged}`);
      let cumulative = 0;
      PREDICTION_BUCKETS.forEach((bound, i) => {
        cumulative += tally.buckets[i] as number;
        timed.push(`retrain_prediction_duration_seconds_bucket{${labels},le="${bound}"} ${cumulative}`);
      });
      cumulative += tally.buckets[PREDICTION_BUCKETS.length] as number;
      timed.push(`retrain_prediction_duration_seconds_bucket{${labels},le="+Inf"} ${cumulative}`);
      timed.push(`retrain_prediction_duration_seconds_sum{${labels}} ${tally.sumSeconds}`);
      timed.push(`retrain_prediction_duration_seconds_count{${labels}} ${cumulative}`);
    }
    return [
      ...family("retrain_predictions_total", "counter", "Predictions answered.", counted),
      ...family("retrain_prediction_errors_total", "counter", "Prediction requests that failed.", failed),
      ...family("retrain_prediction_duration_seconds", "histogram", "Duration of prediction requests.", timed),
      "",
    ].join("\n");
  }
}

function family(name: string, type: string, help: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
