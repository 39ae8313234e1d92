/** What the assessment found, one record a question, for the run's page and the status table. */
import { metricWord, plural } from "../../core/index.ts";
import type { Anomaly, Instant, Json, JsonObject, NewDecision, Outcome } from "../../core/index.ts";

interface Found {
  readonly anomalies: readonly Anomaly[];
  readonly rows: number;
  readonly newRows: number;
  /** The job's own answer. */
  readonly data: JsonObject;
}

const NOVEL = new Set(["OUT_OF_TRAINING_RANGE", "CATEGORY_UNSEEN"]);
const LEAKING = new Set(["TARGET_COPY", "COLUMN_LIKE_ID", "COLUMN_AFTER_EVENT", "TIME_IN_FUTURE"]);

/** @returns decisions without what all of them share. `outcome: no` is a remark unless it blocks. */
export function assessmentRecords(
  found: Found,
  shared: { readonly model: string; readonly runId: string; readonly at: Instant },
): readonly NewDecision[] {
  const { anomalies, data, rows, newRows } = found;
  const duplicates = Number(data["duplicates"] ?? 0);
  const record = (
    subject: string,
    outcome: Outcome,
    text: { readonly rule: string; readonly reason: string; readonly inputs: JsonObject },
  ): NewDecision => ({ ...shared, kind: "assessment", subject, outcome, ...text });
  const list = (codes: ReadonlySet<string>) => anomalies.filter((one) => codes.has(one.code));
  const named = (subject: string, codes: ReadonlySet<string>, rule: string, fine: string) => {
    const own = list(codes);
    return record(subject, own.length === 0 ? "yes" : "no", {
      rule,
      reason: own.length === 0 ? fine : own.map((one) => one.message).join(" "),
      inputs: { anomalies: own as unknown as Json },
    });
  };
  const rest = anomalies.filter(
    (one) => !NOVEL.has(one.code) && !LEAKING.has(one.code) && one.code !== "ROWS_DUPLICATED",
  );
  return [
    record("validity", rest.some((one) => one.blocking) ? "no" : "yes", {
      rule: "Columns hold what they are described as; the label varies; none is lost.",
      reason: rest.length === 0 ? "Nothing is broken." : rest.map((one) => one.message).join(" "),
      inputs: { rows, newRows, anomalies: rest as unknown as Json },
    }),
    record("duplicates", duplicates === 0 ? "yes" : "no", {
      rule: "No row repeats another in every feature and the label.",
      reason:
        duplicates === 0
          ? "No row repeats another."
          : `${duplicates} of ${plural(rows, "row")} ${duplicates === 1 ? "repeats" : "repeat"} another exactly.`,
      inputs: { duplicates, rows },
    }),
    named(
      "novelty",
      NOVEL,
      "New rows lie where the champion was trained.",
      "The new rows lie where the champion was trained, or there is none.",
    ),
    named(
      "leakage",
      LEAKING,
      "No column copies the label, is an id, or was filled in after the event.",
      "No column is suspected.",
    ),
    ...championRecords(data, record),
  ];
}

type Record = (
  subject: string,
  outcome: Outcome,
  text: { readonly rule: string; readonly reason: string; readonly inputs: JsonObject },
) => NewDecision;

/** Share by which a loss must be larger: the means of 2,000 rows each differ by about that much by chance. */
const NOTICEABLE = 0.05;

function championRecords(data: JsonObject, record: Record): readonly NewDecision[] {
  const losses = data["championLoss"] as { old: number | null; new: number | null; metric: string } | null | undefined;
  const gain = data["expectedGain"] as (JsonObject & { outcome: Outcome; reason: string }) | undefined;
  const auc = data["domainAuc"];
  const text = (value: number) => Number(value.toPrecision(3)).toString();
  const told = typeof losses?.old === "number" && typeof losses.new === "number";
  const difference = told && (losses.new as number) > (1 + NOTICEABLE) * (losses.old as number);
  return [
    record("champion loss", told ? (difference ? "no" : "yes") : "cannot-tell", {
      rule: "The champion does as well on the new rows as on the old ones, to a twentieth.",
      reason: told
        ? `Its ${metricWord(losses.metric)} is ${text(losses.new as number)} on the new rows, ${text(losses.old as number)} on the old ones${typeof auc === "number" ? `; a classifier tells the two apart with an AUC of ${text(auc)}` : ""}.`
        : "There is no champion that can answer both.",
      inputs: { championLoss: (losses ?? null) as Json, domainAuc: auc ?? null },
    }),
    ...(gain === undefined
      ? []
      : [
          record("expected gain", gain.outcome, {
            rule: "Retraining on these rows is expected to pay. A hint: the gate judges.",
            reason: gain.reason,
            inputs: gain,
          }),
        ]),
  ];
}
