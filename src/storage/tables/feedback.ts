/** Feedback of users. Labels that follow from it leave for the log through the same table as those of the labeling queue. */
import {
  type FeedbackCounts,
  type FeedbackRecord,
  type FeedbackStore,
  type LabelEvent,
  uuidV7,
} from "../../core/index.ts";
import { bodyOf, Conditions, listBodies, type Queryable, type SqlDatabase, toNumber } from "../sql.ts";

/** A user corrects what looks wrong to them, so their labels train, but are no fair sample to judge by. */
function labelOf(record: FeedbackRecord, value: LabelEvent["value"]): LabelEvent {
  return {
    kind: "label",
    predictionId: record.predictionId,
    at: record.at,
    value,
    labelSource: "user",
    selective: true,
    ...(record.comment === undefined ? {} : { comment: record.comment }),
  };
}

async function insert(transaction: Queryable, records: readonly FeedbackRecord[]): Promise<void> {
  await transaction.query(
    `insert into feedback (id, model, version, prediction_id, example_id, thumb, has_value, has_comment, has_label, at, body)
     select i, m, v, p, e, nullif(t, ''), hv::boolean, hc::boolean, hl::boolean, a, b
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
       $10::bigint[], string_to_array($11, E'\\n')) with ordinality as t (i, m, v, p, e, t, hv, hc, hl, a, b, n)
     order by n`,
    [
      records.map(({ id }) => id),
      records.map(({ model }) => model),
      records.map(({ version }) => version),
      records.map(({ predictionId }) => predictionId),
      records.map(({ exampleId }) => exampleId),
      records.map(({ thumb }) => thumb ?? ""),
      records.map(({ value }) => String(value !== undefined)),
      records.map(({ comment }) => String(comment !== undefined)),
      records.map(({ label }) => String(label !== undefined)),
      records.map(({ at }) => at),
      records.map(bodyOf).join("\n"),
    ],
  );
  const effects = records.flatMap((record) => {
    if (record.label === undefined) return [];
    return [{ id: uuidV7(record.at), model: record.model, event: labelOf(record, record.label) }];
  });
  if (effects.length === 0) return;
  await transaction.query(
    `insert into labeling_effect (id, model, body)
     select i, m, b from unnest($1::text[], $2::text[], string_to_array($3, E'\\n')) with ordinality as t (i, m, b, n)
     order by n`,
    [effects.map(({ id }) => id), effects.map(({ model }) => model), effects.map(bodyOf).join("\n")],
  );
}

export function createFeedbackStore(database: SqlDatabase): FeedbackStore {
  return {
    async add(records) {
      if (records.length > 0) await database.transaction((transaction) => insert(transaction, records));
    },
    async list(filter) {
      const conditions = new Conditions();
      conditions.add("model = ?", filter.model);
      conditions.addIf("thumb = ?", filter.thumb);
      conditions.addIf("prediction_id = ?", filter.predictionId);
      conditions.addIf("example_id = ?", filter.exampleId);
      conditions.addIf("version = ?", filter.version);
      if (filter.has !== undefined) conditions.add(`has_${filter.has} = ?`, true);
      conditions.before("feedback", filter.before);
      return listBodies<FeedbackRecord>(database, "feedback", conditions, filter.limit);
    },
    async counts(model, since) {
      const { rows } = await database.query(
        `select version, count(*) filter (where thumb = 'up') as up, count(*) filter (where thumb = 'down') as down,
           count(*) filter (where has_value) as corrected, count(*) filter (where has_comment) as commented,
           count(*) filter (where has_label) as labels, max(at) as last_at
         from feedback where model = $1 and at >= $2 group by version
         order by length(version) desc, version desc`,
        [model, since ?? 0],
      );
      return rows.map(
        (row): FeedbackCounts => ({
          version: row["version"] as string,
          up: toNumber(row["up"]),
          down: toNumber(row["down"]),
          corrected: toNumber(row["corrected"]),
          commented: toNumber(row["commented"]),
          labels: toNumber(row["labels"]),
          lastAt: toNumber(row["last_at"]),
        }),
      );
    },
  };
}
