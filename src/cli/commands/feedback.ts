/** `retrain feedback`: what users say about single answers. */
import { readFile } from "node:fs/promises";
import { fail, plural } from "../../core/index.ts";
import type { FeedbackAnswer, FeedbackQuery, LabelValue } from "../../server/contract.ts";
import { formatInstant, printData, table } from "../output.ts";
import { labelReaderOf } from "../label-text.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface ListOptions extends RemoteOptions {
  readonly thumb?: string;
  readonly has?: string;
  readonly prediction?: string;
  readonly of?: string;
  readonly limit?: number;
}
export interface GiveOptions extends RemoteOptions {
  readonly up?: boolean;
  readonly down?: boolean;
  readonly value?: string;
  readonly comment?: string;
  readonly user?: string;
}

const shown = (value: LabelValue | null | undefined) =>
  value === undefined ? null : value === null ? "taken back" : String(value);

export async function list(model: string, options: ListOptions): Promise<void> {
  const { thumb, has, prediction, of, limit = 20 } = options;
  const query = { limit, thumb, has, predictionId: prediction, version: of } as FeedbackQuery;
  const found = await connect(options).feedback(model, query);
  printData(options, found, () => {
    if (found.items.length === 0)
      return `No feedback. Give some with: retrain feedback give ${model} <prediction> --down`;
    return table(
      ["when", "prediction", "version", "answered", "thumb", "value", "label", "user", "comment"],
      found.items.map((one) => [
        formatInstant(one.at),
        one.predictionId,
        one.version,
        String(one.decision),
        one.thumb ?? null,
        shown(one.value),
        shown(one.label),
        one.user ?? null,
        one.comment ?? null,
      ]),
    );
  });
}

export async function give(model: string, predictionId: string, options: GiveOptions): Promise<void> {
  const { up, down, value, comment, user } = options;
  if (up === true && down === true) {
    throw fail("USAGE", { message: "A thumb is up or down, not both.", remedy: "Leave one of --up and --down out." });
  }
  const client = connect(options);
  const answer = await client.giveFeedback(model, {
    predictionId,
    ...(up === true ? { thumb: "up" } : down === true ? { thumb: "down" } : {}),
    ...(value === undefined ? {} : { value: value === "null" ? null : (await labelReaderOf(client, model))(value) }),
    ...(comment === undefined ? {} : { comment }),
    ...(user === undefined ? {} : { user }),
  });
  printData(options, answer, () => textOf(answer));
}

export async function send(model: string, file: string, options: RemoteOptions): Promise<void> {
  const body = await readFile(file, "utf8");
  const answer = await connect(options).request<FeedbackAnswer>({
    method: "POST",
    path: `/models/${encodeURIComponent(model)}/feedback`,
    body,
    contentType: "application/x-ndjson",
  });
  printData(options, answer, () => textOf(answer));
  if (answer.refusedCount > 0) {
    throw fail("ROW_INVALID", {
      message: `${answer.refusedCount} of ${plural(answer.refusedCount + answer.accepted, "row")} ${answer.refusedCount === 1 ? "was" : "were"} refused.`,
      remedy: "Correct the rows named above and send them alone: what was taken stays.",
    });
  }
}

function textOf(answer: FeedbackAnswer): string {
  const refused = answer.refused.map((one) => `row ${one.rowNumber}: ${one.message}`);
  return [`${answer.accepted} kept, ${answer.labels} of them as labels.`, ...refused].join("\n");
}

export async function summary(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).feedbackSummary(model);
  printData(options, found, () => {
    if (found.versions.length === 0) return `No feedback yet. ${found.thumbs}`;
    const rows = found.versions.map((one) => [
      one.version,
      one.up,
      one.down,
      one.corrected,
      one.commented,
      one.labels,
      formatInstant(one.lastAt),
    ]);
    return `${table(["version", "up", "down", "corrected", "commented", "labels", "last"], rows)}\n${found.thumbs}`;
  });
}
