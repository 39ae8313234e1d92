/**
 * Feedback of users on single answers. Everything is kept; only what tells the answer without doubt becomes a label:
 *
 * | said | binary | other tasks |
 * |---|---|---|
 * | a corrected value | that value | that value |
 * | thumb up | the decision | no label |
 * | thumb down | the opposite of the decision | no label |
 * | a comment alone | no label | no label |
 *
 * A thumb up on one class of many would teach the model its own answers wherever it is right and nothing where it is wrong; a
 * thumb down leaves the true class open. Such labels are of the source `user` and selective: whoever speaks up does so because of
 * the answer, so they train, but judge nothing.
 */
import type { ModelSpec } from "../../config/spec.ts";
import {
  type FeedbackRecord,
  type LabelValue,
  type LoggedEvent,
  type PredictionEvent,
  type Thumb,
  THUMBS,
  uuidV7,
} from "../../core/index.ts";
import { compileLabelValidator } from "../../data/validate.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import type { RowReading } from "../contract.ts";
import { flushEffects } from "../labeling/effects.ts";
import type { FeedbackAnswer, FeedbackSurface, RefusedFeedback } from "./surface.ts";

/** Rows of one transaction and one look-up. */
const CHUNK_ROWS = 500;
const SHOWN_REFUSALS = 20;
const LONGEST_COMMENT = 4_096;
const LONGEST_USER = 200;
const FIELDS = ["predictionId", "thumb", "value", "comment", "user"];

interface Said {
  readonly rowNumber: number;
  readonly predictionId: string;
  readonly thumb?: Thumb;
  readonly value?: LabelValue | null;
  readonly comment?: string;
  readonly user?: string;
}
type Refusal = Omit<RefusedFeedback, "rowNumber">;

const invalid = (message: string): Refusal => ({ code: "ROW_INVALID", message });

export function createFeedback(context: LoopContext): FeedbackSurface {
  return {
    async give(model, rows, actor) {
      const spec = modelSpec(context, model);
      const read = rowReader(spec);
      const sum = { accepted: 0, labels: 0, refusedCount: 0, refused: [] as RefusedFeedback[] };
      const refuse = (rowNumber: number, refusal: Refusal) => {
        sum.refusedCount++;
        if (sum.refused.length < SHOWN_REFUSALS) sum.refused.push({ rowNumber, ...refusal });
      };
      let chunk: Said[] = [];
      const flush = async () => {
        const records = await recordsOf(context, spec, { said: chunk, actor, refuse });
        chunk = [];
        await context.store.labeling.feedback.add(records);
        sum.accepted += records.length;
        sum.labels += records.filter((one) => one.label !== undefined).length;
      };
      for await (const reading of rows) {
        const said = read(reading);
        if ("code" in said) refuse(reading.rowNumber, said);
        else chunk.push(said);
        if (chunk.length >= CHUNK_ROWS) await flush();
      }
      await flush();
      if (sum.labels > 0) await flushEffects(context);
      if (sum.accepted > 0) context.emit("feedback", model, { accepted: sum.accepted, labels: sum.labels });
      return sum satisfies FeedbackAnswer;
    },
    list: (filter) => context.store.labeling.feedback.list({ ...filter, model: modelSpec(context, filter.model).name }),
    async summary(model, since) {
      const { task } = modelSpec(context, model).schema;
      return { versions: await context.store.labeling.feedback.counts(model, since), thumbs: meaningOf(task) };
    },
  };
}

function meaningOf(task: ModelSpec["schema"]["task"]): string {
  return task === "binary"
    ? "A thumb up confirms the decision, a thumb down states the other one; both train and judge nothing."
    : "Thumbs are counted and teach nothing: which answer would have been right, they do not say.";
}

function rowReader(spec: ModelSpec): (reading: RowReading) => Said | Refusal {
  const check = compileLabelValidator(spec.schema);
  return (reading) => {
    if ("problem" in reading) return reading.problem;
    const row = reading.row as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(row).find((key) => !FIELDS.includes(key));
    if (unknown !== undefined)
      return invalid(`Feedback has no field "${unknown.slice(0, 60)}". Fields: ${FIELDS.join(", ")}.`);
    const { predictionId, thumb, value, comment, user } = row;
    if (typeof predictionId !== "string" || predictionId === "" || predictionId.length > 512)
      return invalid("Feedback names the answer it is about by `predictionId`, as the answer did.");
    if (thumb !== undefined && !THUMBS.includes(thumb as Thumb))
      return invalid(`"thumb" is ${JSON.stringify(thumb)?.slice(0, 60)}; it is "up" or "down".`);
    if (comment !== undefined && (typeof comment !== "string" || comment.length > LONGEST_COMMENT))
      return invalid(`"comment" must be a text of at most ${LONGEST_COMMENT} characters.`);
    if (user !== undefined && (typeof user !== "string" || user === "" || user.length > LONGEST_USER))
      return invalid(`"user" must be a text of 1 to ${LONGEST_USER} characters.`);
    const problem = value === undefined || value === null ? undefined : check(value);
    if (problem !== undefined) return { code: problem.code, message: problem.message };
    if (thumb === undefined && value === undefined && (comment === undefined || comment === ""))
      return invalid("Feedback says something: a thumb, a corrected value or a comment.");
    return {
      rowNumber: reading.rowNumber,
      predictionId,
      ...(thumb === undefined ? {} : { thumb: thumb as Thumb }),
      ...(value === undefined ? {} : { value: value as LabelValue | null }),
      ...(comment === undefined || comment === "" ? {} : { comment: comment as string }),
      ...(user === undefined ? {} : { user: user as string }),
    };
  };
}

async function recordsOf(
  context: LoopContext,
  spec: ModelSpec,
  given: {
    readonly said: readonly Said[];
    readonly actor: string;
    readonly refuse: (rowNumber: number, refusal: Refusal) => void;
  },
): Promise<FeedbackRecord[]> {
  const { said, actor, refuse } = given;
  if (said.length === 0) return [];
  const predictionIds = said.map((one) => one.predictionId);
  const found = await context.store.log.findPredictions(spec.name, { predictionIds });
  const predictions = new Map(found.filter((one) => one.origin !== "shadow").map((one) => [one.predictionId, one]));
  const at = context.worldClock.now();
  return said.flatMap((one) => {
    const { rowNumber, ...rest } = one;
    const prediction = predictions.get(one.predictionId);
    if (prediction === undefined) {
      const id = JSON.stringify(one.predictionId.slice(0, 60));
      const message = `Model ${spec.name} has logged no answer ${id}; only answers that said \`logged: true\` can be spoken about.`;
      refuse(rowNumber, { code: "NOT_FOUND", message });
      return [];
    }
    const contradiction = contradictionOf(rest, prediction);
    if (contradiction !== undefined) {
      refuse(rowNumber, invalid(contradiction));
      return [];
    }
    const label = labelOf(spec.schema.task, rest, prediction);
    const { exampleId, version, decision } = prediction;
    return [
      {
        id: uuidV7(at),
        model: spec.name,
        exampleId,
        version,
        decision,
        at,
        actor,
        ...rest,
        ...(label === undefined ? {} : { label }),
      },
    ];
  });
}

function contradictionOf({ thumb, value }: Omit<Said, "rowNumber">, prediction: PredictionEvent): string | undefined {
  if (thumb === undefined || value === undefined || value === null || typeof value === "number") return undefined;
  const isSame = value === prediction.decision;
  if (isSame === (thumb === "up")) return undefined;
  return `The thumb is ${thumb}, but the value is ${isSame ? "what" : "not what"} the model answered (${String(prediction.decision)}).`;
}

function labelOf(
  task: ModelSpec["schema"]["task"],
  { thumb, value }: Omit<Said, "rowNumber">,
  prediction: LoggedEvent<PredictionEvent>,
): LabelValue | null | undefined {
  if (value !== undefined) return value;
  if (thumb === undefined || task !== "binary") return undefined;
  return thumb === "up" ? prediction.decision : prediction.decision !== true;
}

export type * from "./surface.ts";
