/** Approvals of people, and the ledger of looks at held-out rows. */
import type { ApprovalRecord, GateLook, GateStore } from "../../core/index.ts";
import { bodyOf, parseBody, type SqlDatabase } from "../sql.ts";

export function createGateStore(database: SqlDatabase): GateStore {
  return {
    async addApproval(approval) {
      const { id, model, version } = approval;
      await database.query("insert into approval (id, model, version, body) values ($1, $2, $3, $4)", [
        id,
        model,
        version,
        bodyOf(approval),
      ]);
    },
    async approvals(model, version) {
      const { rows } = await database.query(
        "select body from approval where model = $1 and version = $2 order by position",
        [model, version],
      );
      return rows.map((row) => parseBody<ApprovalRecord>(row["body"]));
    },
    async addLook(look) {
      const { runId, model, champion } = look;
      await database.query(
        `insert into gate_look (run_id, model, champion, body) values ($1, $2, $3, $4)
         on conflict (run_id) do update set body = excluded.body`,
        [runId, model, champion, bodyOf(look)],
      );
    },
    async looks(model, champion) {
      const { rows } = await database.query(
        `select body from gate_look where model = $1 and champion is not distinct from $2
         order by position desc limit 1000`,
        [model, champion],
      );
      return rows.map((row) => parseBody<GateLook>(row["body"]));
    },
  };
}
