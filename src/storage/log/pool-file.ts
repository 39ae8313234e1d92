/** The unlabelled examples of a model as one Parquet file, made by DuckDB alone: candidates for the labeling queue. */
import type { DatasetFile, PoolRequest } from "../../core/index.ts";
import { identifier } from "../analytics.ts";
import { copyOut, effectiveLabels, type Relation, withRelations } from "./dataset.ts";
import type { LogParts } from "./read.ts";

/** An example that has a label, or was predicted, is never a candidate as a mere observation. */
function poolSql(relations: readonly Relation[], request: PoolRequest): string {
  const names = request.schema.columns.map(({ name }) => identifier(`f_${name}`)).join(", ");
  const isRecent = `"at" >= ${BigInt(Math.floor(request.from))}`;
  const newest = "row_number() over (partition by example_id order by received_at desc, seq desc) = 1";
  return `${effectiveLabels(relations, request)}
predicted as (
  select example_id, prediction_id, "at", ${names} from prediction
  where origin in ('live', 'system') and ${isRecent} and example_id not in (select example_id from effective)
  qualify ${newest}
),
observed as (
  select example_id, null::varchar as prediction_id, "at", ${names} from observation
  where ${isRecent} and example_id not in (select example_id from effective)
    and example_id not in (select example_id from prediction where origin in ('live', 'system'))
  qualify ${newest}
),
candidate as (
  select * from (select * from predicted union all select * from observed)
  order by "at" desc, example_id limit ${Math.max(0, Math.floor(request.maxRows))}
)
select * from candidate order by example_id`;
}

/** Cost: one scan of the model's segments; nothing of it runs on the event loop but the reading of the tail. */
export function writePool(parts: LogParts, request: PoolRequest): Promise<DatasetFile> {
  return withRelations(parts, request, (connection, relations) =>
    copyOut(connection, poolSql(relations, request), request.path),
  );
}
