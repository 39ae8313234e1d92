/** `retrain predict`: one row or many, with the trace as a table. */
import type { PredictManyAnswer, PredictOneAnswer, PredictedRow, PredictionTrace } from "../../server/contract.ts";
import type { Row } from "../../client/index.ts";
import { fail } from "../../core/index.ts";
import { formatNumber, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface PredictOptions extends RemoteOptions {
  readonly trace?: boolean;
  readonly modelVersion?: string;
  /** False by --no-log. */
  readonly log: boolean;
}

export async function predict(model: string, text: string, options: PredictOptions): Promise<void> {
  const rows = parseRows(text);
  const asked = {
    ...(options.trace === true ? { trace: true } : {}),
    ...(options.modelVersion === undefined ? {} : { version: options.modelVersion }),
    ...(options.log ? {} : { log: false }),
  };
  const client = connect(options);
  if (Array.isArray(rows)) {
    const answer = await client.predictMany(model, rows as readonly Row[], asked);
    printData(options, answer, () => manyText(answer));
  } else {
    const answer: PredictOneAnswer | PredictManyAnswer = await client.predict(model, rows as Row, asked);
    printData(options, answer, () => (isMany(answer) ? manyText(answer) : oneText(answer)));
  }
}

/** A forecast answers one question with several predictions. */
const isMany = (answer: PredictOneAnswer | PredictManyAnswer): answer is PredictManyAnswer =>
  Array.isArray((answer as Partial<PredictManyAnswer>).predictions);

function parseRows(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail("USAGE", {
      message: `The row is not JSON: ${(cause as Error).message}.`,
      remedy: `Quote it for the shell: retrain predict MODEL '{"age":41}'.`,
      cause,
    });
  }
  refuseInfinite(value);
  if (typeof value === "object" && value !== null) return value;
  throw fail("USAGE", { message: "The row is not a JSON object.", remedy: `Write '{"feature": value, …}'.` });
}

/** JSON reads 1e999 as infinity and writes infinity as null, which would be a missing value nobody meant. */
function refuseInfinite(value: unknown, key = ""): void {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw fail("USAGE", {
      message: `The number${key === "" ? "" : ` at "${key}"`} is too large: no double holds it.`,
      remedy: "Write a smaller number, or null where it is missing.",
    });
  }
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) refuseInfinite(inner, key === "" ? name : `${key}.${name}`);
}

function scoreText(row: PredictedRow): string {
  if (row.probabilities !== undefined) {
    return Object.entries(row.probabilities)
      .map(([name, share]) => `${name} ${(share * 100).toFixed(1)} %`)
      .join(", ");
  }
  return formatNumber(row.score);
}

/** Six digits are more than any model knows, whatever the unit. */
const amountText = (value: number) => String(Number(value.toPrecision(6)));

/** The answer, or where its review stands. */
function decisionText({ decision, review }: PredictedRow): string {
  if (decision === null) return review?.state === "pending" ? "held for review" : "withheld";
  const text = typeof decision === "number" ? amountText(decision) : String(decision);
  return review === undefined ? text : `${text} (uncertain, ${review.state})`;
}

/** Slates of one or several users. */
function slateText(rows: readonly PredictedRow[]): string {
  const lines = rows.flatMap(({ recommend, predictionId }) =>
    (recommend?.items ?? []).map(({ item, score }, place) => [
      recommend?.user ?? "",
      String(place + 1),
      item,
      formatNumber(score),
      recommend?.by ?? "",
      predictionId ?? "–",
    ]),
  );
  const empty = rows.filter(({ recommend }) => recommend?.items.length === 0);
  return [
    ...(lines.length === 0 ? [] : [table(["user", "place", "item", "score", "by", "prediction"], lines)]),
    ...empty.map(({ recommend }) => `Nothing is left to offer ${recommend?.user ?? ""}.`),
  ].join("\n");
}

function oneText(answer: PredictOneAnswer): string {
  if (answer.recommend !== undefined) return `${answer.model} ${answer.version}\n\n${slateText([answer])}`;
  // The score of an amount is the amount.
  const scores = answer.decision === null || typeof answer.decision === "number" ? "" : `  (${scoreText(answer)})`;
  const lines = [
    `${answer.model} ${answer.version}: ${decisionText(answer)}${scores}`,
    answer.logged
      ? `prediction ${answer.predictionId ?? ""} of example ${answer.exampleId}`
      : `example ${answer.exampleId}, not logged`,
  ];
  if (answer.review?.state === "pending" && answer.predictionId !== undefined)
    lines.push(`decided with: retrain reviews show ${answer.model} ${answer.predictionId} --wait 20`);
  if (answer.trace !== undefined) lines.push("", traceText(answer.trace, Object.keys(answer.probabilities ?? {})));
  return lines.join("\n");
}

/** Periods of one or several series. */
function forecastText(answer: PredictManyAnswer): string {
  const rows = answer.predictions.flatMap(({ forecast, score, predictionId }) => {
    if (forecast === undefined) return [];
    const { series, at, step, low, high } = forecast;
    const day = new Date(at).toISOString().slice(0, 10);
    return [[series, day, String(step), ...[score, low, high].map((one) => formatNumber(one)), predictionId ?? "–"]];
  });
  const level = answer.predictions[0]?.forecast?.level ?? 0;
  const range = `${Math.round(level * 100)} %`;
  return table(["series", "period", "step", "value", `low (${range})`, `high (${range})`, "prediction"], rows);
}

function manyText(answer: PredictManyAnswer): string {
  if (answer.predictions[0]?.forecast !== undefined)
    return `${answer.model} ${answer.version}\n\n${forecastText(answer)}`;
  if (answer.predictions[0]?.recommend !== undefined)
    return `${answer.model} ${answer.version}\n\n${slateText(answer.predictions)}`;
  const rows = answer.predictions.map((row) => [
    row.exampleId,
    decisionText(row),
    row.decision === null ? "–" : scoreText(row),
    row.predictionId ?? "–",
  ]);
  return `${answer.model} ${answer.version}\n\n${table(["example", "decision", "scores", "prediction"], rows)}`;
}

/** Prepared values are float32, whose decimals beyond the seventh digit are noise. */
const filledText = (value: PredictionTrace["prepared"][number]["filled"]) =>
  typeof value === "number" ? String(Number(value.toPrecision(7))) : String(value);

/** @param classes in the order of the scores; none where an amount is predicted */
export function traceText(trace: PredictionTrace, classes: readonly string[]): string {
  const hasShares = trace.prepared.some(({ contribution }) => contribution !== undefined);
  const rows = trace.prepared.map(({ column, from, raw, filled, scaled, contribution }) => [
    column,
    from,
    raw === null ? "missing" : String(raw),
    filledText(filled),
    scaled.toFixed(4),
    ...(hasShares ? [contribution === undefined ? "–" : contribution.toFixed(4)] : []),
  ]);
  const header = ["column", "from", "raw", "filled", "scaled", ...(hasShares ? ["share of score"] : [])];
  // One raw score stands for two classes; of several each has its own.
  const named = (values: readonly number[]) =>
    values
      .map((value, i) => `${values.length === classes.length ? `${classes[i] ?? ""} ` : ""}${value.toFixed(4)}`)
      .join(", ");
  const added = trace.prepared.reduce((sum, { contribution }) => sum + (contribution ?? 0), 0);
  const steps = [
    ...(trace.intercept === undefined
      ? []
      : [`base value ${trace.intercept.toFixed(4)} ${added < 0 ? "−" : "+"} columns ${Math.abs(added).toFixed(4)}`]),
    ...(trace.raw === undefined ? [] : [`raw score ${named(trace.raw)}`]),
    `${trace.link ?? "no link"} → ${named(trace.scores)}`,
    ...(trace.threshold === undefined ? [] : [`threshold ${trace.threshold.toFixed(4)}`]),
    `decision ${typeof trace.decision === "number" ? amountText(trace.decision) : String(trace.decision)}`,
  ];
  return `${table(header, rows)}\n\n${steps.join("  →  ")}`;
}
